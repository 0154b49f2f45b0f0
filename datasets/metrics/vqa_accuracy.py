"""VQA accuracy: how many of the annotators gave the answer, after the normalisation of the VQA challenge."""

from __future__ import annotations

import re
from collections import Counter

from embodio.datasets.metrics.parts.metric import MeanMetric, higher
from embodio.datasets.metrics.parts.words import answer_text, references
from embodio.model.tasks.base.text_family import TextItem

ENOUGH = 3
"""Annotators who make an answer wholly right."""

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {word: str(number) for number, word in enumerate(_DIGITS)} | {"none": "0"}
_ARTICLES = {"a", "an", "the"}
_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_PERIOD, _COMMA = re.compile(r"(?!<=\d)\.(?!\d)"), re.compile(r"\d,\d")
_PERIODS = 32  # at most so removed, as the original passes a flag as the count
_WITH_ONE = (
    "ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd how'll "
    "how's isn't it'd it'll ma'am mightn't might've mustn't must've needn't not've o'clock oughtn't shan't "
    "should've shouldn't somebody'll somebody's someone'd someone'll someone's something'd something'll "
    "that's there'd there're there's they'd they'll they're they've 'twas wasn't we've weren't what'll "
    "what're what's what've when's where'd where's where've who'd who'll who's who've why'll why're why's "
    "won't would've wouldn't y'all you'd you'll you're you've"
)
_WITH_TWO = (
    "couldn't've hadn't've he'd've it'd've mightn't've she'd've shouldn't've somebody'd've someone'd've "
    "something'd've there'd've they'd've we'd've who'd've wouldn't've you'd've"
)


def _contractions() -> dict[str, str]:
    """A contraction with an apostrophe left out -> the whole contraction."""
    found = {whole.replace("'", ""): whole for whole in _WITH_ONE.split()}
    for whole in _WITH_TWO.split():
        first, second = (match.start() for match in re.finditer("'", whole))
        found |= {whole[:place] + whole[place + 1 :]: whole for place in (first, second)}
    odd = {"ow's'at": "'ow's'at", "'ows'at": "'ow's'at", "'ow'sat": "'ow's'at", "somebody'd": "somebodyd"}
    double = {"y'allll": "y'all'll", "yall'll": "y'all'll", "yall'd've": "y'all'd've"}
    return found | odd | double | {"y'alld've": "y'all'd've", "y'all'dve": "y'all'd've"}


CONTRACTIONS = _contractions()


def normalised(answer: str) -> str:
    """An answer as the VQA challenge compares it: no punctuation or articles, numbers as digits, contractions whole."""
    text = answer.replace("\n", " ").replace("\t", " ").lower().strip()
    joined = text
    for sign in _PUNCTUATION:
        glued = f"{sign} " in text or f" {sign}" in text or _COMMA.search(text) is not None
        joined = joined.replace(sign, "" if glued else " ")
    words = _PERIOD.sub("", joined, count=_PERIODS).lower().split()
    digits = [_NUMBERS.get(word, word) for word in words]
    return " ".join(CONTRACTIONS.get(word, word) for word in digits if word not in _ARTICLES)


class VqaAccuracy(MeanMetric[TextItem]):
    """The accuracy of the VQA challenge and that of GRIT.

    Both are the number of annotators who gave the answer over 3, at most 1 (Antol et al., arXiv 1505.00468). The
    challenge leaves out one annotator in turn and takes the mean; GRIT (arXiv 2204.13653) counts all at once. Where
    there is one right answer, both are whether it is given.
    """

    figures = higher("vqa_accuracy", "grit_vqa")
    reads = ("text",)

    def measure(self, found: TextItem | None, truth: TextItem) -> dict[str, float]:
        """Both accuracies; an unreadable answer is wrong."""
        if found is None:
            references(truth)
            return {"vqa_accuracy": 0.0, "grit_vqa": 0.0}
        answer = normalised(answer_text(found))
        counts = Counter(normalised(one) for one in references(truth))
        people, same = counts.total(), counts[answer]
        if people == 1:
            return {"vqa_accuracy": float(same), "grit_vqa": float(same)}
        without = same * min(1.0, (same - 1) / ENOUGH) + (people - same) * min(1.0, same / ENOUGH)
        return {"vqa_accuracy": without / people, "grit_vqa": min(1.0, same / ENOUGH)}


METRIC = VqaAccuracy()
