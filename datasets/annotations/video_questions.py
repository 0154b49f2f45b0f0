"""Questions about videos: MSVD-QA, MSRVTT-QA, ActivityNet-QA, NExT-QA and their like.

    MSVD-QA, MSRVTT-QA (`val_qa.json`)       [{"id", "video_id": 7010, "question", "answer"}]; the video is video7010 or
                                             vid7010, or the name that `youtube_mapping.txt` next to the file gives
                                             ("-4wsuPCjDBc_5_15 vid1")
    ActivityNet-QA (`val_q.json`)            [{"question_id", "video_name", "question"}] with `val_a.json` next to it,
                                             [{"question_id", "answer", "type"}]; videos may have v_ before their names
    NExT-QA (`val.csv`), multiple choice     video, question, answer (a number from 0), a0 to a4, qid
    EgoSchema, STAR and others (JSON)        [{"video_id", "question", "options": [...], "answer" (a number)}]

Videos that are not in the folder are left out and counted. The files are held in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, file_text
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import FRAMES, MediaIndex, VideoPart
from embodio.datasets.annotations.parts.rows import one_of, open_rows
from embodio.model.tasks.base.family import Family

MAPPING = "youtube_mapping.txt"
_ROW = "a question with video, video_id or video_name, and an answer"


def read_video_questions(
    file: Path, folder: Path, family: Family[Any], *, frames: int = FRAMES, sound: bool = False
) -> AnnotatedItems:
    """The questions of a file.

    Args:
        file: the questions.
        folder: of the videos.
        family: `answer_question`, or `multiple_choice` where there are options.
        frames: of a video that are seen, at most one more than the network has slots for.
        sound: whether the sound around each frame is heard.

    Raises:
        AnnotationError: the file is in neither form, or lacks the answers or options.
    """
    rows, answers, names = open_rows(file), _answers_of(file), _names_of(file)
    found, index = ItemList(file, folder, family), MediaIndex(folder, "video")
    for number in range(len(rows)):
        row, place = rows.row(number), rows.place(number)
        with expecting(f"{file}, {place}", _ROW):
            row = {**row, **answers.get(str(row.get("question_id")), {})}
            name = index.find(*_video_names(str(one_of(row, "video", "video_id", "video_name")), names))
            question, values = str(row["question"]).strip(), _answer(row, family.name)
            key = one_of({"number": number, **row}, "question_id", "qid", "id", "number")
            key = f"{name}/{key}" if "qid" in row else key
        if name is None:
            found.leave_out("a video that is not in the media folder", place)
        elif not question:
            found.leave_out("an empty question", place)
        else:
            found.add(key, name, {"video": VideoPart(name, frames, sound), "question": question} | values, place)
    return found.done()


def _answer(row: Mapping[str, Any], family: str) -> dict[str, Any]:
    """The answer in words, or the options and the number of the right one."""
    options = row.get("options") or [str(row[f"a{place}"]) for place in range(5) if row.get(f"a{place}")]
    if family == "multiple_choice":
        if not options:
            raise KeyError("options")
        return {"options": [str(one) for one in options], "chosen": int(row["answer"])}
    chosen = str(row["answer"]).strip()
    return {"text": str(options[int(chosen)]) if options else chosen}


def _answers_of(file: Path) -> dict[str, Mapping[str, Any]]:
    """Question id -> answer, of the file that ActivityNet-QA keeps them in; empty for other files."""
    path = file.with_name(file.name.replace("_q.json", "_a.json"))
    if path == file or not path.is_file():
        return {}
    rows = open_rows(path)
    return {str(row.get("question_id")): row for row in map(rows.row, range(len(rows)))}


def _names_of(file: Path) -> dict[str, str]:
    """Id -> name of the videos of MSVD."""
    path = file.with_name(MAPPING)
    lines = [line.split() for line in file_text(path).splitlines()] if path.is_file() else []
    return {line[1]: line[0] for line in lines if len(line) == 2}


def _video_names(key: str, names: Mapping[str, str]) -> list[str]:
    """The names, without ending, that a video may have."""
    stem = PurePosixPath(key).stem if "/" in key or key.endswith((".mp4", ".avi", ".mkv", ".webm")) else key
    mapped = names.get(f"vid{stem}")
    return [*([mapped] if mapped else []), stem, f"video{stem}", f"vid{stem}", f"v_{stem}"]


READ = read_video_questions
FAMILIES = ("answer_question", "multiple_choice")
