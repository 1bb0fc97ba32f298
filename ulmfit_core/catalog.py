"""The one table of what can be plugged in: name → (`module:object`, title, settings model)."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ulmfit_core import config
from ulmfit_core.errors import UserError


@dataclass(frozen=True)
class Entry:
    """`address` is `module:object`, imported only when it is asked for."""

    address: str
    title: str
    settings: type[BaseModel] | None = None

    def resolve(self) -> Any:
        module, _, name = self.address.partition(":")
        return getattr(importlib.import_module(module), name)


# A job is called as job(project, run, **options).
JOBS: dict[str, Entry] = {
    "import": Entry("ulmfit_core.jobs.import_data:import_data", "Import the data", config.DataSettings),
    "vocab": Entry("ulmfit_core.jobs.build_vocab:build_vocab", "Build the vocabulary", config.VocabSettings),
    "pretrain": Entry("ulmfit_core.jobs.pretrain:pretrain", "Pretrain the language model", config.PretrainSettings),
    "finetune": Entry("ulmfit_core.jobs.finetune:finetune", "Fine-tune the language model", config.FinetuneSettings),
    "classify": Entry("ulmfit_core.jobs.classify:classify", "Train the classifier", config.ClassifySettings),
    "find_lr": Entry("ulmfit_core.jobs.find_lr:find_lr", "Find a learning rate"),
    "evaluate": Entry("ulmfit_core.jobs.evaluate:evaluate", "Evaluate the classifier"),
    "predict": Entry("ulmfit_core.jobs.predict_file:predict_file", "Classify a file"),
}

READERS: dict[str, Entry] = {
    "table": Entry("ulmfit_core.data.formats:read_delimited", "CSV or TSV"),
    "jsonl": Entry("ulmfit_core.data.json_files:read_json_lines", "JSON lines"),
    "json": Entry("ulmfit_core.data.json_files:read_json", "JSON, objects in an array"),
    "parquet": Entry("ulmfit_core.data.tables:read_parquet", "Parquet"),
    "arrow": Entry("ulmfit_core.data.tables:read_arrow", "Arrow or Feather"),
    "sqlite": Entry("ulmfit_core.data.tables:read_sqlite", "SQLite table"),
    "workbook": Entry("ulmfit_core.data.workbooks:read_workbook", "Sheet of Excel or OpenDocument"),
    "text": Entry("ulmfit_core.data.formats:read_text", "Text by line, paragraph or article"),
    "pattern": Entry("ulmfit_core.data.formats:read_pattern", "Text with its label in each line"),
    "paired": Entry("ulmfit_core.data.formats:read_paired", "A file of texts and one of labels"),
    "folder": Entry("ulmfit_core.data.folders:read_folder", "Folder of text files by label"),
}

RULES: dict[str, Entry] = {
    "ulmfit": Entry("ulmfit_core.text.rules:ulmfit", "Capitals and repeats marked, digits kept"),
    "fastai": Entry("ulmfit_core.text.rules:fastai", "The rules of fastai 2"),
    "plain": Entry("ulmfit_core.text.rules:plain", "Text as it is"),
}

VOCABULARIES: dict[str, Entry] = {
    "unigram": Entry("ulmfit_core.text.vocab:Pieces", "Pieces of words (SentencePiece)"),
    "bpe": Entry("ulmfit_core.text.vocab:Pieces", "Pieces of words, joined by frequency (BPE)"),
    "char": Entry("ulmfit_core.text.vocab:Pieces", "Characters"),
    "word": Entry("ulmfit_core.text.words:Words", "Whole words"),
}

SCHEDULES: dict[str, Entry] = {
    "slanted": Entry("ulmfit_core.training.schedules:Slanted", "Slanted triangle"),
    "one_cycle": Entry("ulmfit_core.training.schedules:OneCycle", "One cycle"),
    "cosine": Entry("ulmfit_core.training.schedules:Cosine", "Cosine, falling"),
    "flat_anneal": Entry("ulmfit_core.training.schedules:FlatAnneal", "Flat, then cosine"),
    "constant": Entry("ulmfit_core.training.schedules:Constant", "Constant"),
}

# Called as (parameter groups, settings) → torch optimizer.
OPTIMIZERS: dict[str, Entry] = {
    "adamw": Entry("ulmfit_core.training.optimizers:adamw", "AdamW, decoupled weight decay"),
    "adam": Entry("ulmfit_core.training.optimizers:adam", "Adam, L2 in the gradient"),
    "sgd": Entry("ulmfit_core.training.optimizers:sgd", "SGD with momentum"),
    "nt_asgd": Entry("ulmfit_core.training.optimizers:sgd", "SGD, averaged once validation stalls (NT-ASGD)"),
}

# Called as (project, run) → (stage of the trainer, bundle it fills).
STAGES: dict[str, Entry] = {
    "pretrain": Entry("ulmfit_core.jobs.pretrain:make_stage", "Pretraining"),
    "finetune": Entry("ulmfit_core.jobs.finetune:make_stage", "Fine-tuning"),
    "classify": Entry("ulmfit_core.jobs.classify:make_stage", "Classifier"),
}

TABLES = {
    "job": JOBS,
    "reader": READERS,
    "rules": RULES,
    "vocabulary": VOCABULARIES,
    "schedule": SCHEDULES,
    "optimizer": OPTIMIZERS,
    "stage": STAGES,
}


def resolve(table: str, name: str) -> Any:
    """The object of one row. Raises UserError for a name the table does not have."""
    entry = TABLES[table].get(name)
    if entry is None:
        raise UserError(f"There is no {table} “{name}”. Choose one of: {', '.join(TABLES[table])}.")
    return entry.resolve()
