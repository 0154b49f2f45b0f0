"""Captions, labels and transcripts of sounds in the public formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from embodio.datasets.annotations.parts.item import AnnotationError
from tests.support.datasets.annotated_files import items, left_out, made, sing


def test_audiocaps(tmp_path: Path) -> None:
    sing(tmp_path, "wav/Y7fmOlUlwoNg.wav", "wav/rqfQRErjfk8_170.wav")
    rows = 'audiocap_id,youtube_id,start_time,caption\n1,7fmOlUlwoNg,20,"Rain, falling"\n2,7fmOlUlwoNg,20,Rain\n'
    (tmp_path / "val.csv").write_text(rows + "3,rqfQRErjfk8,170,A crowd\n4,gone,0,Nothing\n5,rqfQRErjfk8,170, \n")
    rain, crowd = made("audio_captions", tmp_path / "val.csv", "caption")
    assert rain.references == ("Rain, falling", "Rain") and crowd.text == "A crowd" and len(rain.media.audio) == 16_000
    assert left_out(items("audio_captions", tmp_path / "val.csv", "caption")) == {
        "a sound that is not in the media folder": 1,
        "an empty caption": 1,
    }
    said = made("audio_captions", tmp_path / "val.csv", "make_sound")
    assert [one.text for one in said] == ["Rain, falling", "Rain", "A crowd"]


def test_clotho_and_the_seconds_that_are_heard(tmp_path: Path) -> None:
    sing(tmp_path, "Distorted AM Radio noise.wav", seconds=3)
    header = ",".join(["file_name", *(f"caption_{number}" for number in range(1, 6))])
    (tmp_path / "clotho.csv").write_text(f"{header}\nDistorted AM Radio noise.wav,a,b,c,d,e\n")
    (noise,) = made("audio_captions", tmp_path / "clotho.csv", "caption", seconds=2)
    assert noise.references == ("a", "b", "c", "d", "e") and len(noise.media.audio) == 32_000
    (tmp_path / "bad.csv").write_text("name,words\nx,y\n")
    with pytest.raises(AnnotationError, match="row 1: it lacks 'youtube_id or ytid"):
        items("audio_captions", tmp_path / "bad.csv", "caption")


def test_audioset_names_its_labels_by_another_file(tmp_path: Path) -> None:
    sing(tmp_path, "--4gqARaEJE.wav")
    head = "# Segments csv created 2017\n# num_ytids=1\n# YTID, start_seconds, end_seconds, positive_labels\n"
    rows = '--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/07q6cd_"\n--4gqARaEJE, 0.000, 10.000, "/m/none"\n'
    file = tmp_path / "eval_segments.csv"
    file.write_text(head + rows)
    with pytest.raises(AnnotationError, match=r"fetch class_labels_indices\.csv"):
        items("audio_labels", file, "tag")
    names = 'index,mid,display_name\n0,/m/068hy,"Domestic animals, pets"\n1,/m/07q6cd_,Squeak\n'
    (tmp_path / "class_labels_indices.csv").write_text(names)
    (found,) = made("audio_labels", file, "tag")
    assert found.text == "Domestic animals, pets" and found.references == ("Domestic animals, pets", "Squeak")
    assert found.choices == found.references
    assert left_out(items("audio_labels", file, "tag")) == {"a label without a name": 1}


def test_labels_of_vggsound_esc50_and_fsd50k(tmp_path: Path) -> None:
    sing(tmp_path, "---g-f_I2yQ_000001.wav", "1-100032-A-0.wav", "37199.wav")
    (tmp_path / "vggsound.csv").write_text('---g-f_I2yQ,1,"people marching, far",test\ngone,3,dog barking,train\n')
    (found,) = made("audio_labels", tmp_path / "vggsound.csv", "tag", split="test")
    assert found.text == "people marching, far"
    header = "filename,fold,target,category,esc10,src_file,take\n"
    (tmp_path / "esc50.csv").write_text(header + "1-100032-A-0.wav,1,0,dog_bark,True,100032,A\n")
    assert made("audio_labels", tmp_path / "esc50.csv", "tag", split="1")[0].text == "dog bark"
    (tmp_path / "dev.csv").write_text(
        'fname,labels,mids,split\n37199,"Electric_guitar,Guitar","/m/02sgy,/m/0342h",train\n'
    )
    assert made("audio_labels", tmp_path / "dev.csv", "tag")[0].references == ("Electric guitar", "Guitar")


def test_librispeech_by_file_and_by_folder(tmp_path: Path) -> None:
    folder = tmp_path / "dev-clean" / "84" / "121123"
    sing(folder, "84-121123-0000.wav", "84-121123-0001.wav")
    (folder / "84-121123.trans.txt").write_text(
        "84-121123-0000 GO DO YOU HEAR\n84-121123-0001 BUT\n84-121123-0002 LOST\n"
    )
    for file in (folder / "84-121123.trans.txt", tmp_path / "dev-clean"):
        first, second = made("transcripts", file, "transcribe", tmp_path)
        assert (first.text, second.text) == ("go do you hear", "but") and len(first.media.audio) == 16_000
        found = items("transcripts", file, "transcribe", tmp_path)
        assert found[0].group == "dev-clean/84/121123", "items of a reader are not independent"
        assert found.left_out[0].first == "84-121123.trans.txt, line 3"


def test_transcripts_in_tables(tmp_path: Path) -> None:
    sing(tmp_path, "wavs/LJ001-0001.wav", "clips/common_voice_en_1.wav")
    (tmp_path / "metadata.csv").write_text('LJ001-0001|Mr. "X, 1880|Mister "X, eighteen eighty\nLJ001-0002|a|\n')
    (found,) = made("transcripts", tmp_path / "metadata.csv", "transcribe")
    assert found.text == 'Mister "X, eighteen eighty'
    (said,) = made("transcripts", tmp_path / "metadata.csv", "make_sound")
    assert len(said.sound) == 16_000
    (tmp_path / "validated.tsv").write_text(
        "client_id\tpath\tsentence\tup_votes\nx\tcommon_voice_en_1.mp3\tHello, you.\t2\n"
    )
    assert made("transcripts", tmp_path / "validated.tsv", "transcribe")[0].text == "Hello, you."


def test_transcripts_in_a_file_each(tmp_path: Path) -> None:
    sing(tmp_path, "wav48/p225/p225_001_mic1.wav", "84_1_000007_000001.wav")
    (tmp_path / "txt" / "p225").mkdir(parents=True)
    (tmp_path / "txt" / "p225" / "p225_001.txt").write_text("Please call Stella.\n")
    assert made("transcripts", tmp_path / "txt", "transcribe", tmp_path)[0].text == "Please call Stella."
    (tmp_path / "84_1_000007_000001.normalized.txt").write_text("Mister Smith.")
    (tmp_path / "84_1_000007_000001.original.txt").write_text("Mr. Smith.")
    assert [one.text for one in made("transcripts", tmp_path, "transcribe")] == ["Mister Smith."]


def test_a_transcript_of_more_than_is_heard_is_an_error(tmp_path: Path) -> None:
    sing(tmp_path, "a.wav", seconds=3)
    (tmp_path / "x.csv").write_text("file_name,transcription\na.wav,Hello\n")
    with pytest.raises(AnnotationError, match=r"row 1: audio: .* 3\.0 s, longer than 2 s"):
        items("transcripts", tmp_path / "x.csv", "transcribe", seconds=2)[0].make()
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(AnnotationError, match="row 1: audio: "):
        items("transcripts", tmp_path / "x.csv", "transcribe")[0].make()


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    sing(tmp_path, "one/a.wav", "two/a.wav")
    (tmp_path / "x.csv").write_text("file_name,transcription\na.wav,Hello\n")
    with pytest.raises(AnnotationError, match=r"several files for 'a': one/a.wav, two/a.wav"):
        items("transcripts", tmp_path / "x.csv", "transcribe")
