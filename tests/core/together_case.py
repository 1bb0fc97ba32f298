"""Run by test_distributed under torchrun: one job after the other, in the first process; the others train with it.

    torchrun --nproc-per-node 2 -m tests.core.together_case JOBS OUT

JOBS is a JSON list of {"project", "step", "polls": at which a stop is asked for, "resume"}. OUT takes how each ended.
In a project that is named failing, the second process fails in the third step of pretraining.
"""

import dataclasses
import json
import os
import sys
from pathlib import Path

from tests.core.toy import StopAfter
from ulmfit_core import catalog
from ulmfit_core.errors import UserError
from ulmfit_core.jobs import pretrain
from ulmfit_core.jobs.together import lead_or_follow
from ulmfit_core.project import Project
from ulmfit_core.run import launch


def make_stage(project, run):
    stage, bundle = pretrain.make_stage(project, run)
    if project.folder.name != "failing":
        return stage, bundle
    sound = stage.backward

    def backward(epoch, index, *rest):
        if index == 2:
            raise UserError("There is no room left in the memory. Make the batch smaller.")
        return sound(epoch, index, *rest)

    stage.backward = backward
    return stage, bundle


def main():
    for job in json.loads(sys.argv[1]):
        project = Project.open(Path(job["project"]))
        unfinished = project.resumable_run(job["step"]) if job.get("resume") else None
        resume = unfinished.folder if unfinished else None
        ended = launch(project, job["step"], control=StopAfter(job.get("polls")), resume=resume)
        with open(sys.argv[2], "a") as out:
            out.write(json.dumps(dataclasses.asdict(ended)) + "\n")


if __name__ == "__main__":
    if os.environ["RANK"] == "1":
        catalog.STAGES["pretrain"] = catalog.Entry("tests.core.together_case:make_stage", "")
    lead_or_follow(main)
