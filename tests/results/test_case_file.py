"""CSV files of cases: read as they are meant, or refused in one sentence with file, line, key and cure."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnunet_skipx.results.case_file import read_clusters, read_covariates

CASES = ["a", "b", "c"]


def written(folder: Path, text: str) -> Path:
    path = folder / "known.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_numbers_and_words_of_the_cases_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, 'case,centre,age\nc,"A, north",3\na,B, 1.5\nother,C,nan\nb,B,2\n\n')
    found = read_covariates(path, CASES)
    assert found.index.tolist() == CASES
    assert found["age"].tolist() == [1.5, 2, 3] and found["centre"].tolist() == ["B", "B", "A, north"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,age\na,1\nb,2\n", r"no line of case c: add one for every case"),
        ("case,age\nb,2\n", r"no line of case a and 1 more: add"),
        ("case,age\na,1\nb,2\nc,3\na,4\n", r"line 5: case a stands twice; leave one"),
        ("case,age\na,1\nb,nan\nc,3\n", r"line 3: age is 'nan' among numbers; write a number"),
        ("case,age\na,1\nb,inf\nc,3\n", r"line 3: age is 'inf' among numbers"),
        ("case,age\na,1\nb,old\nc,3\n", r"line 3: age is 'old' among numbers; write a number, or words in all"),
        ("case,age\na,1\nb,\nc,3\n", r"line 3: age of case b is empty; fill it in"),
        ("case,age\na,1\nb,2,3\nc,3\n", r"line 3: 3 values under 2 columns; separate values by commas"),
        ("case,age\na,1\nb\nc,3\n", r"line 3: 1 values under 2 columns"),
        ("name,age\na,1\n", r"line 1: the columns are 'name', 'age'; name each once, one of them 'case'"),
        ("case;age\na;1\n", r"line 1: the columns are 'case;age'"),
        ("case,age,age\na,1,1\n", r"name each once"),
        ("case\na\nb\nc\n", r"line 1: the columns are 'case'"),
        ("", r"line 1: the columns are nothing"),
        ('case,age\na,"1\n', r"is no CSV file in UTF-8"),
        ("case,age\na,1\nb,\x1b[2J\nc,3\n", r"line 3: a value contains the character"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_cure(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=message) as caught:
        read_covariates(path, CASES)
    assert str(path) in str(caught.value)


def test_other_kinds_of_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="such a file reads, for example"):
        read_covariates(tmp_path / "none.csv", CASES)
    (tmp_path / "table.csv").write_bytes(b"case,age\na,\xff\xfe\n")
    with pytest.raises(ValueError, match="save it as one"):
        read_covariates(tmp_path / "table.csv", CASES)


def test_a_name_for_every_case_is_no_category(tmp_path: Path) -> None:
    cases = [f"case {number}" for number in range(21)]
    path = written(tmp_path, "case,scanner\n" + "".join(f"{case},{case}\n" for case in cases))
    with pytest.raises(ValueError, match="scanner has 21 different texts, which are no categories"):
        read_covariates(path, cases)
    assert read_clusters(path, cases) == {case: case for case in cases}


def test_clusters_are_one_column(tmp_path: Path) -> None:
    assert read_clusters(written(tmp_path, "patient,case\n7,b\n7,a\n8,c\n"), CASES) == {"a": "7", "b": "7", "c": "8"}
    with pytest.raises(ValueError, match="has the columns case, patient, age: a cluster file has two"):
        read_clusters(written(tmp_path, "case,patient,age\na,1,1\nb,1,1\nc,2,1\n"), CASES)


@given(st.text(max_size=60))
def test_whatever_stands_there_ends_in_a_table_or_a_sentence(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "known.csv"
        path.write_bytes(text.encode(errors="surrogatepass"))
        try:
            read_covariates(path, CASES)
        except ValueError as error:
            assert str(path) in str(error)
