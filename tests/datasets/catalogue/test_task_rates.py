"""Rates of the rows: the shares of Table 11 to the printed digit, those of the kinds, and square roots within them."""

from __future__ import annotations

import math

import pytest

from embodio.datasets.catalogue.rates import PAPER_KINDS, Rates, rates, trained_rows
from embodio.datasets.catalogue.rows import CatalogueError, TaskCategory, TaskRow, read_catalogue

TABLE_11 = {  # paper, appendix: group -> share, and category -> share, in percent as printed
    "image generation": ("17.6", {
        "draw_from_text": "10.6", "control_image": "2.92", "edit_image": "1.66", "draw_next_frame": "0.96",
        "inpaint_image": "0.79", "synthesise_view": "0.60"}),
    "audio generation": ("7.5", {"sound_from_text": "5.62", "sound_from_video": "1.88"}),
    "image understanding": ("17.8", {
        "answer_about_image": "6.23", "caption_image": "4.25", "classify_region": "2.41", "tag_image": "2.38",
        "relate_objects": "1.41", "caption_regions": "0.60", "follow_about_image": "0.37",
        "answer_about_pair": "0.17"}),
    "image sparse labelling": ("7.25", {
        "detect_objects": "3.08", "localise_objects": "1.31", "refer_to_object": "1.08", "locate_in_3d": "1.00",
        "read_text_in_image": "0.41", "find_keypoints": "0.38"}),
    "image dense labelling": ("4.06", {
        "segment_objects": "1.23", "segment_region": "1.17", "surface_normals": "1.03", "segment_expression": "0.47",
        "estimate_depth": "0.11", "optical_flow": "0.06"}),
    "video understanding": ("10.6", {
        "caption_video": "3.75", "tag_video": "3.75", "answer_about_video": "2.84", "follow_about_video": "0.21"}),
    "video sparse labelling": ("3.42", {"track_objects": "2.50", "locate_actions": "0.61", "locate_sounds": "0.31"}),
    "audio understanding": ("2.50", {"tag_sound": "1.25", "caption_sound": "1.25"}),
    "natural language": ("25.0", {"follow_instructions": "12.5", "model_language": "12.5"}),
    "embodied AI": ("4.33", {
        "predict_actions": "3.37", "predict_states": "0.33", "draw_goals": "0.33", "answer_about_robot": "0.30"}),
}  # fmt: skip


def printed(share: float, like: str) -> str:
    return f"{100 * share:.{len(like.partition('.')[2])}f}"


def shares_of(found: Rates, kind: str) -> float:
    kinds = {row.name: row.kind for row in trained_rows(read_catalogue())}
    return sum(share for name, share in found.rows.items() if kinds[name] == kind)


def row(name: str, category: str, **more: object) -> TaskRow:
    values = {"title": name, "format": "jsonl", "path": name, "origin": "", "licence": "", "split": "train"}
    return TaskRow(name=name, category=category, source=("chosen",), family="caption", **{**values, **more})  # type: ignore[arg-type]


def category(name: str, share: float, *members: TaskRow) -> TaskCategory:
    return TaskCategory(name, name, name, share, members)


def test_shares_are_those_of_table_11_to_the_printed_digit() -> None:
    found = rates(read_catalogue())
    assert sum(found.rows.values()) == pytest.approx(1.0)
    for group, (whole, parts) in TABLE_11.items():
        names = [one.name for one in read_catalogue() if one.group == group]
        assert set(names) == set(parts)
        assert printed(sum(found.categories[name] for name in names), whole) == whole, group
        for name, share in parts.items():
            assert printed(found.categories[name], share) == share, name
    assert len({one.group for one in read_catalogue()}) == len(TABLE_11)


def test_shares_by_kind_are_those_of_the_paper_at_the_same_time() -> None:
    found = rates(read_catalogue())
    for kind, share in PAPER_KINDS.items():
        assert shares_of(found, kind) == pytest.approx(share / 100, abs=1e-6)
        assert found.kinds[kind] == pytest.approx(share / 100, abs=1e-6)


def test_within_category_and_kind_rows_share_by_the_square_root_of_their_size() -> None:
    found = rates(read_catalogue())
    for one in read_catalogue():
        for kind in PAPER_KINDS:
            alike = [row for row in one.rows if row.trains and row.kind == kind]
            factors = [found.rows[row.name] / row.rate / math.sqrt(found.sizes[row.name]) for row in alike]
            assert not factors or max(factors) == pytest.approx(min(factors), rel=1e-9)


def test_caps_unknown_sizes_and_own_rates() -> None:
    small, large = row("small", "a", size=100), row("large", "a", size=1_000_000)
    capped, unknown = row("capped", "a", size=1_000_000, cap=400), row("unknown", "a", size=None)
    often = row("often", "a", size=100, rate=3.0)
    found = rates([category("a", 1, small, large, capped, unknown, often)])
    assert found.sizes == {"small": 100, "large": 1e6, "capped": 400, "unknown": pytest.approx(1e4), "often": 100}
    of_small = {name: share / found.rows["small"] for name, share in found.rows.items()}
    assert of_small == pytest.approx({"small": 1, "large": 100, "capped": 2, "unknown": 10, "often": 3})
    counted = rates([category("a", 1, small, unknown)], sizes={"unknown": 400})
    assert counted.rows == pytest.approx({"small": 1 / 3, "unknown": 2 / 3})


def test_rows_that_are_missing_give_their_share_to_the_others_of_the_category() -> None:
    first, second, other = row("first", "a", size=100), row("second", "a", size=100), row("other", "b", size=1)
    both = [category("a", 60, first, second), category("b", 40, other)]
    assert rates(both).rows == pytest.approx({"first": 0.3, "second": 0.3, "other": 0.4})
    assert rates(both, ["first", "other"]).rows == pytest.approx({"first": 0.6, "other": 0.4})
    assert rates(both, ["second"]).rows == {"second": 1.0}


def test_shares_of_categories_hold_where_kinds_cannot() -> None:
    first, second = row("first", "a", size=1), row("second", "b", size=1, kind="pretraining")
    found = rates([category("a", 90, first), category("b", 10, second)])
    assert found.categories == pytest.approx({"a": 0.9, "b": 0.1})
    assert found.kinds == pytest.approx({"prompted": 0.9, "pretraining": 0.1})


def test_measured_rows_and_kinds_without_a_share_are_left_out() -> None:
    held, trained = row("held", "a", size=1, trains=False), row("trained", "a", size=1)
    chat = row("chat", "a", size=1, kind="free_form")
    found = rates([category("a", 1, held, trained, chat)], kinds={"prompted": 1})
    assert found.rows == {"trained": 1.0}
    with pytest.raises(CatalogueError, match="held are not rows that train"):
        rates([category("a", 1, held, trained)], ["held"])
    with pytest.raises(CatalogueError, match="not one that can be read"):
        rates([category("a", 1, trained)], [])
    with pytest.raises(CatalogueError, match="kinds of share 0"):
        rates([category("a", 1, trained)], kinds={"free_form": 1})
    with pytest.raises(CatalogueError, match=r"kinds.prompted: got -1"):
        rates([category("a", 1, trained)], kinds={"prompted": -1})
