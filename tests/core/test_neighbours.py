"""Training texts that are most alike; what is kept of them on disk is never trusted blindly."""

import numpy as np
import pytest

from tests.core import trained
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.errors import UserError
from ulmfit_core.inference import neighbours
from ulmfit_core.inference.neighbours import Neighbours
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.project import Project


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project with its classifier."""
    project = trained.project_of(tmp_path_factory.mktemp("n"), trained.rows(120))
    trained.run(project, "classify")
    return project, Predictor.of(project)


@pytest.fixture
def project(made):
    """The same without anything kept."""
    for path in (made[0].folder / neighbours.CACHE).glob("*"):
        path.unlink()
    return made[0]


@pytest.fixture
def predictor(made):
    return made[1]


class Counted:
    """How often the engine asks whether it should go on, which is before each text that it reads."""

    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1


def kept(project):
    return sorted((project.folder / neighbours.CACHE).glob("*"))


def same(one, other):
    return [(n.row, n.text, n.label) for n in one] == [(n.row, n.text, n.label) for n in other] and [
        n.similarity for n in one
    ] == pytest.approx([n.similarity for n in other], abs=1e-3)


def test_the_text_itself_is_nearest_and_most_others_are_of_its_label(project, predictor):
    found = Neighbours.of(project, predictor)
    dataset = Dataset.open(project.dataset_folder)
    rows = dataset.rows_of("train")[:20]
    alike = []
    for row, text in zip(rows.tolist(), dataset.texts(rows), strict=True):
        nearest = found.nearest(text)
        assert len(nearest) == 5 and nearest[0].similarity == pytest.approx(1, abs=1e-2)
        assert text in [each.text for each in nearest if each.similarity > 0.99]
        similar = [each.similarity for each in nearest]
        assert similar == sorted(similar, reverse=True)
        alike += [each.label == dataset.labels[dataset.label_ids[row]] for each in nearest if each.row != row]
        for each in nearest:
            assert dataset.texts([each.row]) == [each.text] and dataset.split_ids[each.row] == 0
    assert np.mean(alike) > 0.6


def test_the_cosine_is_that_of_what_the_head_reads(project, predictor):
    dataset = Dataset.open(project.dataset_folder)
    rows = dataset.labelled_rows("train")
    features = predictor.features(dataset.texts(rows)).astype(np.float64)
    features -= features.mean(0)
    text = "quite splendid harbour"
    own = predictor.features([text])[0] - predictor.features(dataset.texts(rows)).mean(0)
    cosines = features @ own / np.linalg.norm(features, axis=1) / np.linalg.norm(own)
    nearest = Neighbours.of(project, predictor).nearest(text, 4)
    assert [each.similarity for each in nearest] == pytest.approx(np.sort(cosines)[::-1][:4].tolist(), abs=0.02)


def test_what_was_read_once_is_not_read_again(project, predictor):
    first, again = Counted(), Counted()
    found = Neighbours.of(project, predictor, first).nearest("lovely bridge")
    (path,) = kept(project)
    written = path.stat().st_mtime_ns
    assert same(Neighbours.of(project, predictor, again).nearest("lovely bridge"), found)
    assert first.count > 0 and again.count == 0 and path.stat().st_mtime_ns == written


DAMAGES = {
    "torn": lambda content: content[:-100],
    "empty": lambda content: b"",
    "foreign": lambda content: b"no file of ours",
    "flipped": lambda content: content[:-50] + bytes([content[-50] ^ 64]) + content[-49:],
    "another": lambda content: content.replace(b'"key":"', b'"key":"0', 1).replace(b'","sum"', b'","sum"', 1),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_made_anew(project, predictor, damage):
    found = Neighbours.of(project, predictor).nearest("dreadful desert")
    (path,) = kept(project)
    sound = path.read_bytes()
    path.write_bytes(DAMAGES[damage](sound))
    assert path.read_bytes() != sound
    counted = Counted()
    assert same(Neighbours.of(project, predictor, counted).nearest("dreadful desert"), found)
    assert counted.count > 0, "all was read anew"
    again = Counted()
    assert same(Neighbours.of(project, predictor, again).nearest("dreadful desert"), found) and again.count == 0


def test_other_weights_have_a_file_of_their_own_and_few_files_are_kept(project, predictor):
    Neighbours.of(project, predictor)
    (first,) = kept(project)
    head = predictor.model.head.linear2.weight
    with_others = set()
    for _ in range(neighbours.KEPT + 2):
        head.data[0, 0] += 0.01
        Neighbours.of(project, predictor)
        with_others |= set(kept(project))
    head.data[0, 0] -= 0.01 * (neighbours.KEPT + 2)
    assert len(with_others) == neighbours.KEPT + 3 and len(kept(project)) == neighbours.KEPT + 1
    assert first not in kept(project)


def test_new_texts_are_read(project, predictor, tmp_path):
    Neighbours.of(project, predictor)
    other = trained.project_of(tmp_path, [*trained.rows(120), ("splendid garden amber", "good")])
    counted = Counted()
    Neighbours.of(other, predictor, counted)
    assert counted.count > 0 and kept(other)[0].name != kept(project)[0].name


def test_of_many_rows_some_are_drawn_always_the_same(project, predictor, monkeypatch):
    monkeypatch.setattr(neighbours, "MOST", 10)
    drawn = [{each.row for each in Neighbours.of(project, predictor).nearest("lovely", 100)} for _ in range(2)]
    assert len(drawn[0]) == 10 and drawn[0] == drawn[1]


def test_a_read_only_project_is_not_written_to_and_one_without_room_answers(project, predictor):
    reader = Project.open(project.folder)
    reader.read_only = "Another window has it."
    assert Neighbours.of(reader, predictor).nearest("lovely") and kept(project) == []
    folder = project.folder / neighbours.CACHE
    if folder.exists():
        folder.rmdir()
    folder.write_text("in the way")
    assert Neighbours.of(project, predictor).nearest("lovely")
    folder.unlink()


def test_without_labels_there_is_nothing_to_compare_with(predictor, tmp_path):
    (tmp_path / "bare.txt").write_text("one line\nanother line\n")
    recipe = trained.Recipe()
    recipe.data.data = str(tmp_path / "bare.txt")
    bare = Project.create(tmp_path / "bare", recipe)
    trained.run(bare, "import")
    with pytest.raises(UserError, match="No training text has a label"):
        Neighbours.of(bare, predictor)
