"""The shape of the code is what docs/architecture.md says: import direction, what loads what, readable files."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "ulmfit_core").rglob("*.py")) + sorted((ROOT / "studio").rglob("*.py"))
WRITERS = {"open", "write_text", "write_bytes"}


def functions():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def test_imports_run_one_way():
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", ["config", "events", "catalog", "project", "run", "files"])
def test_what_the_window_needs_to_open_loads_neither_torch_nor_qt(module):
    code = f"import sys, ulmfit_core.{module}; print([m for m in sys.modules if m in ('torch', 'PySide6')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_opens_by_saying_what_it_is_for(path):
    text = path.read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(ast.parse(text))


def test_functions_are_short():
    lengths = dict(functions())
    assert median(lengths.values()) < 10
    assert not {name: length for name, length in lengths.items() if length > 50}


def test_only_files_opens_files_for_writing():
    offenders = []
    for path in SOURCES:
        if path.name == "files.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _writes(node):
                offenders.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not offenders


def _writes(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    owner = call.func.value.id if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) else ""
    if name not in WRITERS or owner == "files":
        return False
    modes = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    modes += [k.value.value for k in call.keywords if k.arg == "mode" and isinstance(k.value, ast.Constant)]
    return name != "open" or any(set(mode) & set("wax+") and len(mode) < 4 for mode in modes)


def test_nothing_is_unpickled():
    # pickletools only takes pickles apart; models/inert_pickle.py reads fastai's files with it.
    forbidden = re.compile(r"(import|from) pickle\b|(?<!safetensors\.)torch\.(load|save)\(|allow_pickle=True")
    assert forbidden.search("x = torch.load(f)") and forbidden.search("from pickle import loads")
    assert not forbidden.search("safetensors.torch.save(x)")
    assert not [path for path in SOURCES if forbidden.search(path.read_text(encoding="utf-8"))]
