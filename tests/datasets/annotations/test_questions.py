"""Questions about pictures and videos in the public formats: VQA, GQA, A-OKVQA, VizWiz, TextVQA, video QA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from embodio.datasets.annotations.parts.item import AnnotationError
from tests.support.datasets.annotated_files import draw, film, items, left_out, made, write_json


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw(tmp_path, "val2014/COCO_val2014_000000000042.jpg", "val2017/000000000042.jpg", "a.jpg")
    return tmp_path


def vqa(folder: Path, annotations: list[dict[str, Any]]) -> Path:
    head = {"info": {}, "license": {}, "data_type": "mscoco", "data_subtype": "val2014"}
    questions = [
        {"image_id": 42, "question": "What is it?", "question_id": 42000},
        {"image_id": 7, "question": "Where?", "question_id": 7000},
    ]
    write_json(folder, "v2_OpenEnded_mscoco_val2014_questions.json", head | {"questions": questions})
    return write_json(folder, "v2_mscoco_val2014_annotations.json", head | {"annotations": annotations})


def answered(key: int, image: int, *answers: str, **more: Any) -> dict[str, Any]:
    several = [{"answer": one, "answer_confidence": "yes", "answer_id": at} for at, one in enumerate(answers, 1)]
    return {
        "question_id": key,
        "image_id": image,
        "answers": several,
        "question_type": "what",
        "answer_type": "other",
    } | more


def test_vqa_pairs_questions_with_answers(folder: Path) -> None:
    rows = [answered(42000, 42, "cup", "cup", "mug", multiple_choice_answer="cup"), answered(7000, 7, "there")]
    file = vqa(folder, [*rows, answered(5, 42, "x"), answered(42000, 42, " ")])
    (question,) = made("vqa", file, "answer_question")
    assert question.question == "What is it?" and question.text == "cup"
    assert question.references == ("cup", "cup", "mug"), "all annotators, by whom an answer is judged"
    found = items("vqa", file, "answer_question")
    assert [(one.key, one.group) for one in found] == [("42000", "val2014/COCO_val2014_000000000042.jpg")]
    assert left_out(found) == {
        "a picture that is not in the media folder": 1,
        "a question_id without a question": 1,
        "a question without an answer": 1,
    }


def test_vqa_needs_both_files(folder: Path) -> None:
    file = vqa(folder, [{"question_id": 42000}])
    with pytest.raises(AnnotationError, match="number 0 of the annotations: it lacks 'image_id'"):
        items("vqa", file, "answer_question")
    (folder / "v2_OpenEnded_mscoco_val2014_questions.json").unlink()
    with pytest.raises(AnnotationError, match=r"expected v2_OpenEnded_mscoco_val2014_questions\.json or"):
        items("vqa", file, "answer_question")


def test_gqa(folder: Path) -> None:
    row = {"imageId": "a", "question": "Is it red?", "answer": "yes", "fullAnswer": "Yes, it is.", "isBalanced": True}
    file = write_json(folder, "questions.json", {"0293": row, "1": row | {"imageId": "b"}, "2": row | {"answer": ""}})
    (question,) = made("gqa", file, "answer_question")
    assert (question.question, question.text) == ("Is it red?", "yes")
    assert sum(left_out(items("gqa", file, "answer_question")).values()) == 2
    with pytest.raises(AnnotationError, match="question 9: it lacks 'question'"):
        items("gqa", write_json(folder, "bad.json", {"9": {}}), "answer_question")


def test_aokvqa_has_choices_and_free_answers(folder: Path) -> None:
    row = {"split": "val", "image_id": 42, "question_id": "q1", "question": "Why?", "choices": ["a", "b", "c", "d"]}
    full = row | {"correct_choice_idx": 2, "direct_answers": ["c", "see", "c"], "difficult_direct_answer": False}
    hard = full | {"question_id": "q2", "difficult_direct_answer": True}
    file = write_json(folder, "aokvqa.json", [full, hard, row | {"question_id": "test"}])
    (free,) = made("aokvqa", file, "answer_question", folder / "val2017")
    assert free.text == "c" and free.references == ("c", "see", "c")
    first, second = made("aokvqa", file, "multiple_choice", folder / "val2017")
    assert first.options == ("a", "b", "c", "d") and first.chosen == second.chosen == 2
    assert left_out(items("aokvqa", file, "multiple_choice", folder / "val2017")) == {
        "a question without an answer of this kind": 1
    }


def test_vizwiz_and_textvqa(folder: Path) -> None:
    answers = [{"answer": one, "answer_confidence": "yes"} for one in ("soup", "soup", "tomato soup")]
    row = {"image": "a.jpg", "question": "What can is it?", "answers": answers, "answer_type": "other", "answerable": 1}
    file = write_json(folder, "val.json", [row, row | {"image": "lost.jpg"}, row | {"question": ""}])
    (question,) = made("vizwiz", file, "answer_question")
    assert question.text == "soup" and len(question.references) == 3
    assert sum(left_out(items("vizwiz", file, "answer_question")).values()) == 2
    data = [{"question_id": 3, "image_id": "a", "question": "brand?", "answers": ["nokia"] * 10, "set_name": "val"}]
    (question,) = made("vizwiz", write_json(folder, "textvqa.json", {"data": data}), "answer_question")
    assert question.text == "nokia" and len(question.references) == 10
    texts = [
        {"image_id": "a", "caption_str": text, "reference_strs": ["A can.", "Soup."]} for text in ("A can.", "Soup.")
    ]
    (caption,) = made("vizwiz", write_json(folder, "textcaps.json", {"data": texts}), "caption")
    assert caption.references == ("A can.", "Soup.")


def test_questions_about_videos(folder: Path) -> None:
    film(folder, "video7010.mp4", "v_abc.mp4", "-4wsuPCjDBc_5_15.avi")
    row = {"answer": "dog", "id": 0, "question": "who runs?", "video_id": 7010}
    file = write_json(folder, "val_qa.json", [row, row | {"id": 1, "video_id": 1}, row | {"id": 2, "video_id": 9}])
    (folder / "youtube_mapping.txt").write_text("-4wsuPCjDBc_5_15 vid1\n")
    first, second = made("video_questions", file, "answer_question", frames=3)
    assert first.text == second.text == "dog" and len(first.media.image_history) == 2 and first.media.image is not None
    assert left_out(items("video_questions", file, "answer_question")) == {"a video that is not in the media folder": 1}

    asked = write_json(folder, "x_q.json", [{"question_id": "abc_1", "video_name": "abc", "question": "is it day?"}])
    with pytest.raises(AnnotationError, match="lacks 'answer'"):
        items("video_questions", asked, "answer_question")
    write_json(folder, "x_a.json", [{"question_id": "abc_1", "answer": "yes", "type": 3}])
    assert [one.text for one in made("video_questions", asked, "answer_question", frames=2)] == ["yes"]

    table = folder / "val.csv"
    table.write_text("video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n")
    with table.open("a") as opened:
        opened.write("7010,9,64,64,why,3,6,CW,a,b,c,d,e\n7010,9,64,64,how,0,7,CH,a,b,c,d,e\n")
    why, how = made("video_questions", table, "multiple_choice", frames=2)
    assert (why.chosen, how.chosen) == (3, 0) and why.options == ("a", "b", "c", "d", "e")
    assert json.dumps([one.text for one in made("video_questions", table, "answer_question", frames=2)]) == '["d", "a"]'
