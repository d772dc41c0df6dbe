"""Properties of metric and maps over shapes, types, magnitudes from 1e-30 to 1e30, ties, zeros, negative sums and tensors of all strides.

200 examples of each; the slow run, 10,000 new ones, takes a quarter of an hour: pytest tests/test_properties.py --hypothesis-profile slow
"""

import math

import numpy as np
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from torch.testing import assert_close

from moram.capture import Features
from moram.localization import average_precision, high_share, inside_contrast, rank_accuracy, region_shares, relevance_mass, sign_accuracy
from moram.methods import METHODS
from moram.metric import NORMALIZATIONS, accuracy_auc, accuracy_curve, auc_ceiling, cumulative_importance, empty_maps, relevance, score_areas
from moram.upsample import bilinear, lanczos

TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
TIES = [0.0, -0.0, 1.0, -1.0, 0.5, 3.0, 1e-30, -1e-30, 1e30, -1e30]


SIDES = st.integers(1, 4)


@st.composite
def magnitudes(draw, shape, low: float, high: float):
    """Numbers of both signs, of any magnitude between, a quarter of them ties and zeros.

    All are read from one string of bytes, two for each number: a draw for each number would take most of the time.
    """
    count = 2 * math.prod(shape)
    codes = np.frombuffer(draw(st.binary(min_size=count, max_size=count)), np.uint16).reshape(shape)
    ties = np.array([tie for tie in TIES if tie == 0 or low <= abs(tie) <= high])
    span = np.log10([low, high])
    sizes = 10.0 ** (span[0] + (span[1] - span[0]) * (codes // 2 - 2**13) / (2**15 - 1 - 2**13))
    return torch.from_numpy(np.where(codes < 2**14, ties[codes % len(ties)], np.where(codes % 2, -sizes, sizes)))


@st.composite
def strided(draw, tensor):
    "The same values with other strides."
    way = draw(st.sampled_from(["contiguous", "transposed", "sliced", "offset"]))
    if way == "transposed":
        return tensor.transpose(-1, -2).contiguous().transpose(-1, -2)
    if way == "sliced":
        return torch.stack([tensor, tensor + 1 if tensor.is_floating_point() else ~tensor], -1)[..., 0]
    return torch.cat([tensor, tensor])[len(tensor):] if way == "offset" else tensor


@st.composite
def scenes(draw, low=1e-30, high=1e30):
    "Maps and masks of one shape."
    shape = draw(SIDES), draw(SIDES), draw(SIDES)
    values = draw(magnitudes(shape, low, high))
    count = math.prod(shape)
    masks = torch.tensor([byte % 2 == 1 for byte in draw(st.binary(min_size=count, max_size=count))]).reshape(shape)
    if draw(st.booleans()):
        values, masks = values[:1].expand(shape), masks[:1].expand(shape)
    return draw(strided(values.to(draw(st.sampled_from([torch.float32, torch.float64]))))), draw(strided(masks))


def by_hand(values, inside, normalize):
    "Steps 2 and 3 of the metric for one map [P] in exact arithmetic of Python's fractions: each pixel's cumulative importance; None without R."
    from fractions import Fraction

    changed = values - values.min() if normalize == "minmax" else values  # that difference is rounded, and may make ties
    numbers = [Fraction(v) for v in changed.tolist()]
    change = {"clip": lambda v: max(v, Fraction(0)), "abs": abs}.get(normalize, lambda v: v)
    numbers = [change(v) for v in numbers]
    total, spread = sum(numbers), sum(map(abs, numbers))
    if total == 0:
        return [0.0] * len(numbers), True
    if abs(total) < spread * Fraction(1, 10**5):
        return None, None  # so near to no sum at all that rounding decides
    shares = [v / total for v in numbers]
    order = sorted(range(len(shares)), key=shares.__getitem__)
    found, running, i = [0.0] * len(shares), Fraction(0), 0
    while i < len(order):
        ties = [j for j in order[i:] if shares[j] == shares[order[i]]]
        first, last = running + shares[order[i]], running + len(ties) * shares[order[i]]
        for j in ties:
            found[j] = float(last if shares[order[i]] == 0 else (first + last) / 2)
        running, i = last, i + len(ties)
    return found, False


@given(scenes(), st.sampled_from(NORMALIZATIONS))
@example((torch.tensor([[[1e-30, -1e-30, 1e-30]]]), torch.tensor([[[True, False, True]]])), "sum")
@example((torch.tensor([[[1e-30, -1e30]]]), torch.tensor([[[False, False]]])), "clip")
@example((torch.tensor([[[-3.0, 1.0, 1.0]]]), torch.tensor([[[True, False, True]]])), "sum")
def test_metric_is_the_paper_s(scene, normalize):
    maps, masks = scene
    before = maps.clone(), masks.clone()
    scores = score_areas(maps, masks, torch.linspace(0, 1, 11), [normalize])[normalize]
    assert torch.equal(maps, before[0]) and torch.equal(masks, before[1])
    assert ((scores.areas >= 0) & (scores.areas <= 1)).all() and ((scores.curves >= 0) & (scores.curves <= 1)).all()
    for i, (values, inside) in enumerate(zip(maps.flatten(1), masks.flatten(1).tolist(), strict=True)):
        cumulative, empty = by_hand(values, inside, normalize)
        if cumulative is None:
            continue
        assert scores.empty[i].item() == empty
        right = [min(max(c, 0), 1) if black else 1 - min(max(c, 0), 1) for c, black in zip(cumulative, inside, strict=True)]
        assert abs(scores.areas[i].item() - sum(right) / len(right)) < 1e-4
        for k in range(11):
            if all(abs(c - k / 10) > 1e-4 for c in cumulative):
                wanted = sum((c >= k / 10) == black for c, black in zip(cumulative, inside, strict=True)) / len(inside)
                assert abs(scores.curves[i, k].item() - wanted) < 1e-9


@given(scenes(), st.sampled_from(NORMALIZATIONS))
def test_metric_step_by_step_is_the_metric_at_once(scene, normalize):
    maps, masks = scene
    r = torch.linspace(0, 1, 11, dtype=torch.float64)
    cumulative = cumulative_importance(maps, normalize)
    scores = score_areas(maps, masks, r, [normalize])[normalize]
    assert cumulative.isfinite().all()
    changed = maps.double() - (maps.double().amin((1, 2), keepdim=True) if normalize == "minmax" else 0)
    changed = changed.clamp(min=0) if normalize == "clip" else changed.abs() if normalize == "abs" else changed
    sure = changed.sum((1, 2)).abs() > 1e-5 * changed.abs().sum((1, 2))
    # R is rounded: two neighbours among the values may be a tie in it
    sure &= torch.tensor([len(R.unique()) == len(m.unique()) for R, m in zip(relevance(maps, normalize), changed.to(maps.dtype))])
    assert_close(accuracy_auc(cumulative, masks)[sure], scores.areas[sure], rtol=0, atol=1e-4)
    apart = (cumulative.flatten(1)[:, :, None] - r).abs().amin(1) > 1e-4
    curves = accuracy_curve(cumulative, masks, r)
    assert_close(torch.where(apart, curves, 0)[sure], torch.where(apart, scores.curves, 0)[sure], rtol=0, atol=1e-9)


@given(scenes(), st.sampled_from(NORMALIZATIONS))
def test_relevance_sums_to_one(scene, normalize):
    maps, _ = scene
    R = relevance(maps, normalize)
    assert R.dtype == maps.dtype and R.shape == maps.shape and R.isfinite().all()
    if normalize != "sum":
        total = R.double().sum((1, 2))
        assert (R >= 0).all() and (((total - 1).abs() < 1e-4) | (total == 0)).all()
        assert torch.equal(total == 0, empty_maps(maps, normalize))


@given(scenes(1e-10, 1e10), st.sampled_from(NORMALIZATIONS), st.sampled_from([2.0**-60, 2.0**60]))
def test_metric_does_not_see_the_scale(scene, normalize, scale):
    maps, masks = scene
    a, b = (score_areas(m, masks, None, [normalize])[normalize] for m in (maps, maps * scale))
    assert_close(a.areas, b.areas, rtol=0, atol=1e-12)
    assert torch.equal(a.empty, b.empty)


@given(scenes(), st.sampled_from(NORMALIZATIONS[1:]))
def test_ceiling(scene, normalize):
    maps, masks = scene
    assert (score_areas(maps, masks, None, [normalize])[normalize].areas <= auc_ceiling(masks) + 1e-6).all()


@given(scenes(1e-4, 1e4), st.sampled_from(TYPES[:2]), st.sampled_from(NORMALIZATIONS))
def test_half_precision_is_read_exactly(scene, dtype, normalize):
    maps, masks = scene[0].to(dtype), scene[1]
    assert_close(score_areas(maps, masks, None, [normalize]), score_areas(maps.float(), masks, None, [normalize]), rtol=0, atol=0)


@given(scenes(), st.sampled_from(NORMALIZATIONS))
def test_localization_is_a_share(scene, normalize):
    maps, masks = scene
    defined = masks.flatten(1).any(1) & ~masks.flatten(1).all(1)
    for score in (relevance_mass, rank_accuracy, average_precision):
        found = score(maps, masks, normalize)
        assert torch.equal(found.isnan(), ~defined)
        assert ((found[defined] >= -1e-12) & (found[defined] <= 1 + 1e-9)).all()
        assert_close(score(masks.to(maps.dtype), masks, normalize)[defined], torch.ones(int(defined.sum()), dtype=torch.float64))
    regions = region_shares(maps, {"in": masks, "out": ~masks}, normalize)
    assert_close(regions["in"].share + regions["out"].share, torch.ones(len(maps), dtype=torch.float64), rtol=0, atol=1e-6)


@given(scenes())
def test_average_precision_is_scikit_learn_s(scene):
    from sklearn.metrics import average_precision_score

    maps, masks = scene
    R = relevance(maps, "abs").flatten(1)
    for found, values, inside in zip(average_precision(maps, masks), R, masks.flatten(1), strict=True):
        if inside.any() and not inside.all():
            assert abs(found.item() - average_precision_score(inside.numpy(), values.double().numpy())) < 1e-9


@given(scenes(1e-15, 1e15))
def test_sign_and_contrast(scene):
    maps, masks = scene
    signs = sign_accuracy(maps, masks, ~masks)
    for share in signs[:2]:
        assert (share.isnan() | ((share >= 0) & (share <= 1 + 1e-9))).all()
    contrast = inside_contrast(maps, masks)
    for found, values, inside in zip(contrast, maps.double(), masks, strict=True):
        if inside.any() and not inside.all():
            wanted = values[inside].mean() - values[~inside].mean()
            assert abs(found.item() - wanted.item()) <= 1e-4 * values.abs().max().item()
    for scale in ("range", "maximum", "quantile"):
        share = high_share(maps, masks, [0.0, 0.5, 1.0], scale)
        assert (share.isnan() | ((share >= 0) & (share <= 1))).all()


@st.composite
def some_features(draw, low=1e-15, high=1e15, positive=False):
    "Activations, gradients and contributions of a layer with one to three spatial axes."
    shape = tuple(draw(st.lists(st.integers(1, 3), min_size=3, max_size=5)))
    A, G, c = (draw(magnitudes(shape, low, high)) for _ in range(3))
    dtype = draw(st.sampled_from(TYPES[2:]))
    A, G, c = (draw(strided(t.to(dtype))) for t in (A.abs() if positive else A, G, c))
    if draw(st.booleans()):
        G = G.flatten(2)[:, :, :1].unflatten(2, [1] * (len(shape) - 2)).expand(shape)  # as behind global average pooling
    return Features(A, G, torch.zeros(len(A), dtype=dtype), c)


def bound(features):
    "What rounding is measured against: the sum of all moduli in a cell, [N, 1, ...]."
    scale = features.gradients.double().abs().flatten(2).mean(2)
    return torch.einsum("nk,nk...->n...", scale, features.activations.double().abs())


@given(some_features())
def test_maps_split_by_sign(features):
    plus, minus, both, signed = (METHODS[name](features) for name in ("raising", "lowering", "moram", "grad_ram"))
    limit = 1e-5 * bound(features)
    for maps in (plus, minus, both, signed, METHODS["grad_cam"](features), METHODS["grad_cam_pp"](features)):
        assert maps.shape == features.activations[:, 0].shape and maps.dtype == features.activations.dtype and maps.isfinite().all()
    assert ((plus.double() - minus - signed).abs() <= limit).all() and ((plus.double() + minus - both).abs() <= limit).all()
    c = {name: METHODS[name](features) for name in METHODS if name.startswith("contribution")}
    limit = 1e-5 * features.contributions.double().abs().sum(1)
    assert ((c["contribution_raising"].double() - c["contribution_lowering"] - c["contribution"]).abs() <= limit).all()
    assert ((c["contribution_raising"].double() + c["contribution_lowering"] - c["contribution_modulus"]).abs() <= limit).all()
    assert (c["contribution_modulus"] >= 0).all()


@given(some_features(positive=True))
def test_moram_is_a_magnitude(features):
    limit = 1e-5 * bound(features)
    moram = METHODS["moram"](features).double()
    for name in ("moram", "raising", "lowering", "grad_cam", "grad_cam_pp"):
        assert (METHODS[name](features) >= 0).all(), name
    assert (METHODS["grad_ram"](features).double().abs() <= moram + limit).all()
    turned = features._replace(gradients=-features.gradients)
    for name, other, sign in (("moram", "moram", 1), ("grad_ram", "grad_ram", -1), ("raising", "lowering", 1)):  # sums in another order differ by rounding
        difference = METHODS[name](turned).double() - sign * METHODS[other](features).double()
        assert (difference.abs() <= limit + torch.finfo(features.activations.dtype).tiny).all(), name


@given(some_features(1e-30, 1e30))
def test_maps_are_the_literal_loop(features):
    "Equation (2) with the weights of (3) and (4), cell by cell in float64; beyond the largest float a map is infinite, never wrong."
    A, G = features.activations.double(), features.gradients.double()
    w = G.flatten(2).mean(2)
    for name, weights in (("grad_ram", w), ("moram", w.abs()), ("raising", w.clamp(min=0)), ("lowering", -w.clamp(max=0))):
        wanted = sum(weights[:, k].view(-1, *[1] * (A.ndim - 2)) * A[:, k] for k in range(A.shape[1]))
        largest = torch.finfo(features.activations.dtype).max
        assume((bound(features) < largest / 100).all())
        tiny = torch.finfo(features.activations.dtype).tiny
        assert ((METHODS[name](features).double() - wanted).abs() <= 1e-5 * bound(features) + 100 * tiny).all(), name


@given(scenes(1e-30, 1e30), st.sampled_from(TYPES), st.integers(1, 9), st.integers(1, 9))
def test_upsampling(scene, dtype, height, width):
    maps = scene[0].clamp(-1e4, 1e4).to(dtype) if dtype == torch.float16 else scene[0].to(dtype)
    for resize in (lanczos, bilinear):
        up = resize(maps, (height, width))
        assert up.shape == (len(maps), height, width) and up.dtype == dtype and up.isfinite().all()
        assert_close(up, resize(maps.contiguous(), (height, width)), rtol=1e-5 if dtype in TYPES[2:] else 1e-2, atol=1e-5 * (maps.abs().max().item() + 1e-30))
        flat = torch.full_like(maps, 3.0)
        assert_close(resize(flat, (height, width)), torch.full_like(up, 3.0), rtol=1e-3, atol=0)
    same = lanczos(maps, tuple(maps.shape[1:]))
    assert_close(same, maps, rtol=1e-5, atol=1e-5 * maps.abs().max().item())
