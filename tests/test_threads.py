"""Four threads explain one model while a fifth predicts: no error, no wrong map, no wrong prediction, nothing changed.

The slow run, twenty rounds: pytest tests/test_threads.py --rounds 20
"""

import copy
import threading

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from moram import explain
from moram.dataset import RectangleDataset
from moram.study.reliability import fingerprint

THREADS, CALLS = 4, 8
METHODS = ("moram", "grad_ram", "contribution", "ram")


def small() -> nn.Module:
    "Batch norm, dropout, and a ReLU that works in place."
    layers = (nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Dropout2d(0.5), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))


MODELS = {"small": (small, "6"), "ResNet-18": (lambda: resnet18(num_classes=2), "layer4")}


def make(name: str, training: bool) -> nn.Module:
    """The model with random weights, batch-norm statistics of its own, and one frozen part.

    In train mode its predictions are made repeatable: no dropout, and statistics that count nothing and stay where they are.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MODELS[name][0]()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 2)
                module.momentum, module.num_batches_tracked = (0.0, None) if training else (0.1, module.num_batches_tracked)
            elif isinstance(module, nn.Dropout2d):
                module.p = 0.0 if training else 0.5
    next(model.children()).requires_grad_(False)
    model.train(training)
    return model


class Crowd:
    "Threads that start together, and what went wrong in any of them."

    def __init__(self):
        self.wrong, self.threads, self.start = [], [], threading.Event()

    def add(self, work) -> None:
        def run():
            self.start.wait()
            try:
                work()
            except BaseException as error:
                self.wrong.append(repr(error))

        self.threads.append(threading.Thread(target=run))

    def run(self) -> list[str]:
        for thread in self.threads:
            thread.start()
        self.start.set()
        for thread in self.threads:
            thread.join()
        return self.wrong


def values(model: nn.Module) -> dict:
    "The fingerprint, less how often a tensor was written to: a prediction in train mode writes the same statistics again."
    found = fingerprint(model)
    return found | {"tensors": [(name, digest[:3], digest[4]) for name, digest in found["tensors"]]}


def same(got, wanted) -> bool:
    return all(torch.allclose(a, b, rtol=1e-5, atol=1e-6 * b.abs().max().item()) for a, b in zip(got, wanted, strict=True))


@pytest.fixture
def rounds(request) -> int:
    return request.config.getoption("--rounds")


@pytest.mark.filterwarnings("error::moram.inputs.MoramWarning")
@pytest.mark.parametrize("found", [False, True], ids=["layer named", "layer found"])
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("name", MODELS)
def test_threads_share_a_model(name, training, found, rounds):
    batches = RectangleDataset(n=20, size=64).images(range(8)).split(2)  # each thread has its own pictures
    layer = None if found else MODELS[name][1]
    alone = make(name, training)
    wanted = {(i, method): explain(alone, images, layer, method, output=i % 2) for i, images in enumerate(batches) for method in METHODS}
    with torch.no_grad():
        predicted = [copy.deepcopy(alone)(images) for images in batches]

    for _ in range(rounds):
        model, crowd = make(name, training), Crowd()  # a fresh model: its layer is found anew
        before = values(model)

        def explaining(i, model=model, crowd=crowd):
            for call in range(CALLS):
                method = METHODS[call % len(METHODS)]
                if not same(explain(model, batches[i], layer, method, output=i % 2), wanted[i, method]):
                    crowd.wrong.append(f"thread {i}: another map by {method}")

        def predicting(model=model, crowd=crowd):
            for images, wanted_values in zip(batches * 4, predicted * 4, strict=True):
                with torch.no_grad():
                    if model.training != training or not same([model(images)], [wanted_values]):
                        crowd.wrong.append("another prediction")

        for i in range(THREADS):
            crowd.add(lambda i=i, explaining=explaining: explaining(i))
        crowd.add(predicting)
        assert crowd.run() == []
        assert values(model) == before


def test_the_checks_can_fail():
    "A thread that hooks or switches the shared model is seen."
    model = make("small", False)
    before = fingerprint(model)
    model[1].train()
    assert fingerprint(model) != before
    model[1].eval()
    assert fingerprint(model) == before
    handle = model[4].register_forward_hook(lambda module, inputs, out: out * 0)
    assert fingerprint(model) != before
    handle.remove()
    crowd = Crowd()
    crowd.add(lambda: explain(model, torch.zeros(1, 1, 64, 64)))
    assert "expected [N, 3, H, W]" in crowd.run()[0]
