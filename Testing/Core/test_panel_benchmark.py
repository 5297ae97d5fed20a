"""The worker with made-up masks, by which `Testing/Benchmarks/panel.py` measures the panel alone."""

import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from worker_client import WorkerClient

BENCHMARK = Path(__file__).resolve().parents[1] / "Benchmarks" / "panel.py"


def test_it_answers_as_the_real_one(empty_temporary_folder):
    scan = sitk.GetImageFromArray(np.full((40, 48, 48), 50, np.int16))
    scan.SetSpacing((5.0, 5.0, 5.0))
    with WorkerClient(command=[sys.executable, str(BENCHMARK), "worker"]) as worker:
        answer = worker.segment(scan)
    labels = sitk.GetArrayFromImage(answer.labels)
    assert np.unique(labels).tolist() == [0, 1, 2, 3]
    assert len(answer.measurements.lesions) == 3
