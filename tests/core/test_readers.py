"""Files as people have them are read right, and bad rows are named; what cannot be read gets one clear sentence."""

import bz2
import gzip
import lzma
import re
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulmfit_core.config import DataSettings
from ulmfit_core.data import sniff
from ulmfit_core.data.containers import Content
from ulmfit_core.data.encodings import Position, read_lines
from ulmfit_core.data.formats import BadRow
from ulmfit_core.data.readers import Row, inspect, preview, read_rows
from ulmfit_core.errors import UserError


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def read(path, **settings):
    """(texts, labels, bad rows) of a file."""
    rows = list(read_rows(path, DataSettings(**settings)))
    good = [row for row in rows if isinstance(row, Row)]
    return [row.text for row in good], [row.label for row in good], [row for row in rows if isinstance(row, BadRow)]


SIMPLE = "text,label\nsome nice words,pos\nsome bad words,neg\n"


# Tables


def test_columns_by_name_and_by_number(tmp_path):
    path = write(tmp_path / "a.csv", SIMPLE)
    for text, label in (("text", "label"), ("1", "2")):
        assert read(path, text=[text], label=label) == (["some nice words", "some bad words"], ["pos", "neg"], [])


def test_a_number_is_a_name_where_a_column_has_that_name(tmp_path):
    path = write(tmp_path / "a.csv", "2,text\nx,some words here\n")
    assert read(path, text=["text"], label="2", header="yes")[1] == ["x"]


@pytest.mark.parametrize("mark", [",", "\t", ";", "|"])
def test_delimiters_are_found(tmp_path, mark):
    rows = [f"some nice words{mark}pos", f"others, in two parts, here{mark}neg"]
    if mark == ",":
        rows[1] = '"others, in two parts, here",neg'
    path = write(tmp_path / "a.csv", f"text{mark}label\n" + "\n".join(rows) + "\n")
    assert read(path, text=["text"], label="label") == (
        ["some nice words", "others, in two parts, here"], ["pos", "neg"], [],
    )  # fmt: skip


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_ends_and_quoted_line_ends(tmp_path, ending):
    path = write(tmp_path / "a.csv", ending.join(["text,label", f'"one{ending}two, ""three""",x', "four,y"]))
    texts, labels, bad = read(path, text=["text"], label="label")
    assert texts == [f'one{ending}two, "three"', "four"] and labels == ["x", "y"] and not bad


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"])
def test_encodings_are_found(tmp_path, encoding):
    text = "text,label\n" + "The café of the naïve señor is nice,pos\nA plain and boring line of text,neg\n" * 20
    path = write(tmp_path / "a.csv", text.encode(encoding))
    assert read(path, text=["text"], label="label")[0][0] == "The café of the naïve señor is nice"


def test_russian_in_its_old_encoding_is_found(tmp_path):
    line = "Это очень хороший фильм, мне понравилось смотреть его вместе с друзьями"
    text = "text;label\n" + f"{line};pos\nПлохая и скучная книга для всех читателей;neg\n" * 20
    path = write(tmp_path / "a.csv", text.encode("cp1251"))
    assert read(path, text=["text"], label="label")[0][0] == line


def test_a_stray_byte_late_in_a_file_does_no_harm(tmp_path):
    path = write(tmp_path / "a.csv", ("text,label\n" + "plain,a\n" * 60_000).encode() + b"caf\xe9,b\n")
    texts, _, bad = read(path, text=["text"], label="label")
    assert texts[-1] == "café" and not bad


def test_lines_with_bytes_that_are_no_utf_8_are_counted_and_read_as_windows_characters(tmp_path):
    lines = ["text,label", *(f"größer und schöner als {n},x" for n in range(50_000))]
    content = "\n".join(lines).encode().replace("schöner als 7,".encode(), b"sch\xf6ner \x96 als 7,")
    path = write(tmp_path / "a.csv", content.replace("schöner als 40000,".encode(), b"sch\xf6ner als 40000,"))
    source = inspect(path, DataSettings())
    rows = list(read_rows(path, DataSettings(text=["text"]), source))
    assert source.encoding == "utf-8" and (source.position.odd_rows, source.position.first_odd) == (2, 9)
    assert [row.text for row in rows[6:9]] == [
        "größer und schöner als 6", "größer und schöner – als 7", "größer und schöner als 8",
    ]  # fmt: skip
    assert rows[40_000].text == "größer und schöner als 40000"


def test_a_file_of_another_encoding_is_not_taken_for_utf_8(tmp_path):
    rows = ["größer und schöner with quite a few more plain words of English behind,x", "Ã¶ and more,y"]
    content = "\n".join(["text,label", *rows * 50, *["plain words of English,x"] * 50])
    path = write(tmp_path / "a.csv", content.encode("cp1252"))
    assert inspect(path, DataSettings()).encoding == "cp1252"


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_are_those_that_python_reads_wherever_blocks_end(tmp_path, ending):
    path = write(tmp_path / "a.txt", ending.join(["x" * n + "é\x0b\u2028" for n in range(900)] * 3).encode())
    with path.open(encoding="utf-8", newline="") as file:
        assert list(read_lines(Content(path), "utf-8", Position())) == list(file)


@pytest.mark.parametrize(("ending", "pack"), [(".xz", lzma.compress), (".gz", gzip.compress), (".bz2", bz2.compress)])
def test_packed_files(tmp_path, ending, pack):
    path = write(tmp_path / f"a.csv{ending}", pack(SIMPLE.encode()))
    assert read(path, text=["text"], label="label")[1] == ["pos", "neg"]


def test_quotes_in_a_tab_separated_file_swallow_nothing(tmp_path):
    lines = ["label\tmessage"] + ['ham\t"open only', "spam\twin now"] * 5 + ['ham\t"closed" and on', "ham\tend"]
    texts, labels, bad = read(write(tmp_path / "a.tsv", "\n".join(lines)), text=["message"], label="label")
    assert len(texts) == 12 and not bad and texts[0] == '"open only'


def test_quoted_cells_of_a_tab_separated_file(tmp_path):
    path = write(tmp_path / "a.tsv", 'label\tmessage\nham\t"two\nlines, ""said"""\nspam\tone\n')
    assert read(path, text=["message"], label="label")[0] == ['two\nlines, "said"', "one"]


@pytest.mark.parametrize(
    ("content", "header"),
    [
        ("text,label\na b c,1\n", True),
        ("1,some words of a text\n2,others here\n", False),
        ("some words of a text,pos\nothers here,neg\nand more,pos\n", False),
        ("comment_body,kind\n" + "this is a rather long text of many words,x\n" * 3, True),
        ("good,what a film\nbad,what a bore\ngood,again\n", False),
    ],
)
def test_headers_are_found(tmp_path, content, header):
    assert preview(write(tmp_path / "a.csv", content), DataSettings()).header is header


def test_header_as_told(tmp_path):
    path = write(tmp_path / "a.csv", SIMPLE)
    assert preview(path, DataSettings(header="no")).columns == ["1", "2"]
    assert len(read(path, text=["1"], header="no")[0]) == 3


def test_text_at_label_and_label_space_text(tmp_path):
    at = "\n".join(f"mail me@home number {n} @{'good' if n % 2 else 'bad'}" for n in range(60))
    space = "\n".join(f"{n % 2} words number {n}" for n in range(60))
    assert read(write(tmp_path / "at.txt", at), text=["1"], label="2")[1][:2] == ["bad", "good"]
    assert read(write(tmp_path / "space.txt", space), text=["2"], label="1")[0][3] == "words number 3"


def test_bad_rows_are_named_with_their_record(tmp_path):
    path = write(tmp_path / "a.csv", 'text,label\n"two\nlines",x\nfine,y\nmany,cells,here\n  ,x\nlast,y\n')
    texts, _, bad = read(path, text=["text"], label="label")
    assert texts == ["two\nlines", "fine", "last"]
    assert bad == [BadRow("a.csv", 4, "3 columns instead of 2"), BadRow("a.csv", 5, "no text")]


def test_several_text_columns_are_joined_with_field_marks(tmp_path):
    path = write(tmp_path / "a.csv", "title,body,label\nHi,some text,x\n,only body,y\n")
    assert read(path, text=["title", "body"], label="label")[0] == [
        "xxfld 1 Hi xxfld 2 some text", "xxfld 1  xxfld 2 only body",
    ]  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1).filter(str.strip),
            st.sampled_from(["x", "y"]),
        ),
        min_size=2,
    )
)
def test_whatever_is_written_as_csv_is_read_back(tmp_path_factory, rows):
    import csv
    import io

    out = io.StringIO()
    csv.writer(out).writerows([("text", "label"), *rows])
    path = write(tmp_path_factory.mktemp("csv") / "a.csv", out.getvalue())
    texts, labels, bad = read(path, text=["text"], label="label", encoding="utf-8", delimiter=",", header="yes")
    assert (texts, labels, bad) == ([text.strip() for text, _ in rows], [label for _, label in rows], [])


# Other kinds of files


def test_json_lines(tmp_path):
    lines = ['{"text": "some words", "label": 1}', "", "nonsense", '{"label": 2, "text": "more"}', '{"text": "none"}']
    texts, labels, bad = read(write(tmp_path / "a.jsonl", "\n".join(lines)), text=["text"], label="label")
    assert (texts, labels) == (["some words", "more", "none"], ["1", "2", ""])
    assert bad == [BadRow("a.jsonl", 3, "not a JSON object")]


def test_parquet(tmp_path):
    table = pa.table({"text": ["some words", None, "more"], "label": [1.0, 2.0, None]})
    pq.write_table(table, tmp_path / "a.parquet")
    texts, labels, bad = read(tmp_path / "a.parquet", text=["text"], label="label")
    assert (texts, labels, bad) == (["some words", "more"], ["1", ""], [BadRow("a.parquet", 2, "no text")])


def test_text_one_document_a_line(tmp_path):
    path = write(tmp_path / "a.txt", "first line, with a comma\n\nsecond line\n")
    assert read(path)[0] == ["first line, with a comma", "second line"]


def test_wikitext(tmp_path):
    path = write(tmp_path / "a.txt", " \n = One = \n \n Words . \n = = Section = = \n More . \n = Two = \n Other . \n")
    assert read(path)[0] == ["= One =\nWords .\n= = Section = =\nMore .", "= Two =\nOther ."]


def test_folder_by_label(tmp_path):
    for label, text in (("neg", "bad film"), ("pos", "fine film")):
        (tmp_path / "data" / label).mkdir(parents=True)
        write(tmp_path / "data" / label / "1.txt", text)
    write(tmp_path / "data" / "pos" / "2.txt", b"\0\1\2")
    texts, labels, bad = read(tmp_path / "data", text=["text"], label="label")
    assert (texts, labels) == (["bad film", "fine film"], ["neg", "pos"])
    assert bad[0].file == "pos/2.txt"


def test_folder_by_split_and_label(tmp_path):
    (tmp_path / "data" / "train" / "pos").mkdir(parents=True)
    (tmp_path / "data" / "test" / "pos").mkdir(parents=True)
    write(tmp_path / "data" / "train" / "pos" / "1.txt", "one")
    write(tmp_path / "data" / "test" / "pos" / "1.txt", "two")
    rows = list(read_rows(tmp_path / "data", DataSettings(text=["text"], label="label")))
    assert {(row.text, row.split) for row in rows} == {("one", "train"), ("two", "test")}


# The preview


def test_preview_guesses_the_mapping(tmp_path):
    lines = [f"{n},some longer text number {n},{'good' if n % 2 else 'bad'}" for n in range(200)]
    seen = preview(write(tmp_path / "a.csv", "id,body,verdict\n" + "\n".join(lines)), DataSettings())
    assert (seen.reader, seen.text, seen.label, len(seen.rows)) == ("table", ["body"], "verdict", 100)


def test_preview_of_200_000_rows_takes_less_than_a_second(tmp_path):
    line = "a text of usual length for a review, with some twenty words or so in it; and then some more of them"
    path = write(tmp_path / "a.csv", "text,label\n" + f'"{line}",pos\n' * 200_000)
    began = time.monotonic()
    assert len(preview(path, DataSettings()).rows) == 100
    assert time.monotonic() - began < 1


# Refusals


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"", "a.csv is empty. Choose a file with at least a few rows of text."),
        ("a.csv", b" \n \n", "a.csv is empty. Choose a file with at least a few rows of text."),
        ("a.csv", b"\0\1\2\3" * 100, "a.csv holds binary data, not text."),
        ("a.bin", bytes(range(1, 32)) * 50, "a.bin holds binary data, not text."),
        ("a.xlsx", b"PK\3\4\0\0" * 100, "a.xlsx is cut short or damaged: its list of members cannot be read."),
        ("a.csv.gz", b"\x1f\x8b damaged", "a.csv.gz is damaged and cannot be unpacked."),
        ("a.parquet", b"PAR1 no", "a.parquet is not a whole Parquet file."),
        ("a.jsonl", b"[1, 2]\n3\n", "a.jsonl is not JSON lines: it needs one object"),
        ("a.csv", b'text,label\nfine,x\n"open,y\nmore,x\n', "a quote that opens in row 3 is never closed."),
        ("a.csv", b"a,b\n1,2,3\n1\n1,2,3,4\n5,6\n", "row 2 has 3 columns instead of 2, and 3 of 4 rows are like that."),
    ],
)
def test_refusals(tmp_path, name, content, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        list(read_rows(write(tmp_path / name, content), DataSettings(text=["1"])))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="There is no file .*none.csv. Check the name and the folder."):
        inspect(tmp_path / "none.csv", DataSettings())


@pytest.mark.parametrize("name", ["nonsense", "3", "0"])
def test_a_missing_column_is_refused_with_the_known_ones(tmp_path, name):
    path = write(tmp_path / "a.csv", SIMPLE)
    with pytest.raises(UserError, match=f"a.csv has no column “{name}”. Its columns are: “text”, “label”."):
        read(path, text=[name])


def test_an_unknown_encoding_is_refused(tmp_path):
    with pytest.raises(UserError, match="There is no encoding “klingon”."):
        read(write(tmp_path / "a.csv", SIMPLE), encoding="klingon")


def test_a_folder_without_sub_folders_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no sub-folders"):
        inspect(tmp_path, DataSettings())


# Real files


@pytest.mark.parametrize(
    ("name", "settings", "rows", "bad", "classes"),
    [
        ("trec/train_5500.label", {"text": ["2"], "label": "1"}, 5452, 0, 50),
        ("ag_news/test.csv", {"text": ["2", "3"], "label": "1"}, 7600, 0, 4),
        ("poem_sentiment/train.tsv", {"text": ["2"], "label": "3"}, 892, 0, 4),
        ("sms_spam/spam.tsv", {"text": ["message"], "label": "label"}, 5572, 0, 2),
        ("messy/phrasebank_bom_crlf_at.txt", {"text": ["1"], "label": "2"}, 4846, 0, 3),
        ("messy/airline_tweets_excel.csv", {"text": ["text"], "label": "airline_sentiment"}, 14640, 0, 3),
        ("messy/womens_clothing_missing.csv", {"text": ["Review Text"], "label": "Rating"}, 22641, 845, 5),
        ("messy/rt_polarity_latin1.txt", {"text": ["2"], "label": "1"}, 10662, 0, 2),
        ("germeval2018/germeval2018.training.txt", {"text": ["1"], "label": "2"}, 5009, 0, 2),
        ("wikitext2.valid.txt", {}, 60, 0, 1),
    ],
)
def test_real_files(data_folder, name, settings, rows, bad, classes):
    if not (data_folder / name).exists():
        pytest.skip(f"{name} is not in {data_folder}")
    texts, labels, left_out = read(data_folder / name, **settings)
    assert (len(texts), len(left_out), len(set(labels))) == (rows, bad, classes)


def test_guesses_need_rows():
    assert sniff.guess_columns(["a"], []) == ([], "")


@pytest.mark.parametrize("third, label", [("joy", "label_name"), ("fear", "label"), ("7", "label")])
def test_classes_in_words_are_taken_before_their_numbers(third, label):
    """Only where words and numbers tell the same classes."""
    cells = [("0", "fear"), ("1", "joy"), ("1", third)] * 4
    rows = [[f"a long text, number {number}", *pair] for number, pair in enumerate(cells)]
    assert sniff.guess_columns(["text", "label", "label_name"], rows) == (["text"], label)
