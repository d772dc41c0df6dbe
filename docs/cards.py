"""The paper's claims as cards: a sign, a sentence, dots and intervals, and the evidence in a fold.

Verdicts and evidence are those in the outputs of nbs/study/06_claims.ipynb, the sentences those of nbs/index.ipynb's table;
the dots are measured on the kept tables, by what the judges measure with.
"""

import re
from html import escape
from typing import NamedTuple

import pandas as pd

from moram.study.evidence import COLOURS, measure_models, of_data
from moram.study.judges import (
    PAPER_DATA,
    SIDES,
    Tables,
    absolute_error,
    area_gains,
    bands_above,
    correlation_at,
    high_shares_gained,
    negative_targets,
    survival,
)
from moram.study.scores import MORAM, RAM, RAM_MODULUS

SIGNS = {"holds": "✓", "contradicted": "✗", "cannot tell": "?"}  # anything else depends on something
READINGS = {"sum": "as printed", "minmax": "as drawn"}
WIDTH, LETTER, ROW, TOP = 340, 5.9, 26, 6  # of a picture, in px; a letter of a label; a row; the space above


class Card(NamedTuple):
    "What a card says."

    claim: str  # begins with C1 ... C8
    verdict: str
    evidence: str
    heading: str  # of its section on the page of claims
    sentence: str = ""  # in plain words


class Dots(NamedTuple):
    "What a card shows."

    measured: pd.DataFrame  # case, family, value, low, high
    level: float  # what the claim compares with
    axis: str  # what is measured


def texts(cell):
    "The Markdown that a cell puts out."
    return ["".join(output["data"]["text/markdown"]) for output in cell.get("outputs", []) if "text/markdown" in output.get("data", {})]


def read_cards(claims, index):
    "The cards that two notebooks hold. ValueError where they do not say the same."
    rows = re.findall(r"^\| *(C\d) .*?\| *\**(.+?)\** *\| *(.+?) *\|$", "\n".join(text for cell in index.cells for text in texts(cell)), re.MULTILINE)
    plain, cards, heading = {key: (verdict.strip(), sentence) for key, verdict, sentence in rows}, [], ""
    for cell in claims.cells:
        if cell.cell_type == "markdown":
            heading = ([heading] + re.findall(r"^## +(.+)$", cell.source, re.MULTILINE))[-1]
        for claim, verdict, evidence in re.findall(r"^\*\*(C\d [^:]*): ([^*]+)\.\*\* *(.*)$", "\n".join(texts(cell)), re.MULTILINE):
            said, sentence = plain.get(claim[:2], (verdict, ""))
            if said != verdict:
                raise ValueError(f"{claim[:2]}: nbs/index.ipynb says {said!r}, nbs/study/06_claims.ipynb says {verdict!r}; run both")
            cards.append(Card(claim, verdict, evidence, heading, sentence))
    missing = set(plain) - {card.claim[:2] for card in cards}
    if missing:
        raise ValueError(f"nbs/study/06_claims.ipynb has no verdict on {', '.join(sorted(missing))}, which nbs/index.ipynb has; run both")
    return cards


def is_list_of_verdicts(cell):
    "Whether a cell puts out the table that the cards stand for: claims and verdicts, without the evidence."
    outputs = texts(cell) + ["".join(output.get("data", {}).get("text/html", "")) for output in cell.get("outputs", [])]
    return any(all(f"{key} " in text for key in ("C1", "C2", "C3")) and ("verdict" in text) and "evidence" not in text for text in outputs)


def measure(tables: Tables):
    "Claim -> `Dots`. C1 is an identity, and has none."
    paper = of_data(tables, PAPER_DATA)
    inside, high, above = negative_targets(paper), high_shares_gained(paper), bands_above(paper)
    areas = [area_gains(paper, side=side).query("case in @READINGS").assign(side=side) for side in SIDES]
    areas = pd.concat(areas).assign(case=lambda found: found["side"] + ", " + found["case"].map(READINGS))
    quarters = {f"y from {low:g} to {low + 0.25:g}": correlation_at(low, low + 0.25) for low in (0, 0.25, 0.5, 0.75)}
    kept = pd.concat([survival(tables, name) for name in (MORAM, RAM_MODULUS)])
    return {
        "C2": Dots(measure_models(paper, {"MAE": absolute_error}), 0.015, "mean absolute error; below 0.015 it rounds to 0.01"),
        "C3": Dots(inside[inside["case"].isin([RAM, MORAM, "Σ A"])], 0.5, "share of maps higher inside than outside, y < 0"),
        "C4": Dots(high[high["case"].str.startswith("50%")], 0, "share of the rectangle that is high, MoRAM − RAM"),
        "C5": Dots(above[above["case"].isin(READINGS)].assign(case=lambda found: found["case"].map(READINGS), value=lambda found: found["above"],
                                                              low=lambda found: found["above"], high=lambda found: found["above"]),
                   1, "share of r between 0 and 1 at which MoRAM is surely above"),
        "C6": Dots(areas.sort_values("side", kind="stable", ascending=False), 0, "area, MoRAM − RAM"),
        "C7": Dots(measure_models(of_data(tables, "PositiveRectangles"), quarters), 1, "correlation of the two maps"),
        "C8": Dots(kept, 1, "on the overlap, as a multiple of one shape"),
    }


def draw(dots, families):
    "Dots and intervals as SVG, in the page's own colours."
    found, cases = dots.measured, list(dict.fromkeys(dots.measured["case"]))
    low, high = min(dots.level, found["low"].min()), max(dots.level, found["high"].max())
    height, spread, labels = TOP + ROW * len(cases), (high - low) or 1, 14 + LETTER * max(len(str(case)) for case in cases)

    def x(value):
        return labels + 8 + (WIDTH - labels - 20) * (value - low) / spread

    parts = [f'<line class="level" x1="{x(dots.level):.1f}" x2="{x(dots.level):.1f}" y1="0" y2="{height}"/>']
    for row, case in enumerate(cases):
        models = found[found["case"] == case]
        parts.append(f'<text x="{labels:.0f}" y="{TOP + ROW * (row + 0.5) + 1:.1f}" text-anchor="end">{escape(str(case))}</text>')
        for k, model in enumerate(models.itertuples()):
            y = TOP + ROW * (row + (k + 0.5) / len(models) * 0.8 + 0.02)
            parts.append(f'<g class="family-{families.index(model.family) % len(COLOURS)}"><line x1="{x(model.low):.1f}" x2="{x(model.high):.1f}" y1="{y:.1f}" '
                         f'y2="{y:.1f}"/><circle cx="{x(model.value):.1f}" cy="{y:.1f}" r="2.4"/></g>')
    anchor = "start" if dots.level == low else "end" if dots.level == high else "middle"
    ends = [(dots.level, anchor), *((end, side) for end, side in ((low, "start"), (high, "end")) if abs(end - dots.level) > 0.2 * spread)]
    parts += [f'<text x="{x(value):.1f}" y="{height + 12}" text-anchor="{anchor}">{value:.2g}</text>'.replace(">-", ">−") for value, anchor in ends]
    parts.append(f'<text x="{WIDTH - 12}" y="{height + 27}" text-anchor="end">{escape(dots.axis)}</text>')
    said = "; ".join(f"{case} {models['value'].min():.2g} to {models['value'].max():.2g}" for case, models in found.groupby("case", sort=False))
    return (f'<svg viewBox="0 0 {WIDTH} {height + 32}" role="img" aria-label="{escape(dots.axis)}, a dot for each model: {escape(said)}">'
            + "".join(parts) + "</svg>")


def kind(verdict):
    return verdict.split()[0] if verdict in SIGNS else "depends"


def draw_cards(cards, dots, page):
    "The cards as HTML, for a page at `page`; each leads to its section on the page of claims."
    families = list(dict.fromkeys(family for each in dots.values() for family in each.measured["family"]))
    seen = "".join(f'<span><i class="family-{k % len(COLOURS)}"></i>{escape(family)}</span>' for k, family in enumerate(families))
    said = "A dot is a trained model; its line is the 95% interval over pictures. The dashed line is what the claim compares with. Families:"
    here, lines = page == "study/06_claims", [f'<p class="claim-legend">{said} {seen}</p>', '<div class="claim-cards">']
    for card in cards:
        key, sign = card.claim[:2], SIGNS.get(card.verdict, "±")
        link = ("" if here else "study/06_claims.html") + "#" + re.sub(r"[^a-z0-9]+", "-", re.sub(r"[$’']", "-", card.heading).lower()).strip("-")
        picture = draw(dots[key], families) if key in dots else ""
        sentence = f"<p>{escape(card.sentence)}</p>" if card.sentence else ""
        lines.append(f'<section class="claim-card {kind(card.verdict)}">'
                     f'<p class="claim-verdict"><span aria-hidden="true">{sign}</span> {escape(card.verdict)}</p>'
                     f'<p class="claim-words"><a href="{link}">{key}</a> {escape(card.claim[3:])}</p>{sentence}{picture}'
                     f"<details><summary>In figures</summary><p>{escape(card.evidence)}</p></details></section>")
    return "\n".join([*lines, "</div>"])
