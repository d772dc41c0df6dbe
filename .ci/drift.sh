#!/usr/bin/env bash
# Fails when moram/ is not exactly what nbs/ exports, or when a notebook is not clean.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v nbdev_export >/dev/null || { echo 'nbdev is missing. Run: pip install -e ".[dev]"' >&2; exit 1; }

before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
cp -R nbs moram "$before"

# A notebook that was renamed or removed leaves its old module behind: start from none.
find moram -name '*.py' ! -name '__init__.py' ! -name '__main__.py' -delete
nbdev_clean
nbdev_export

explain() {
  cat >&2 <<'MESSAGE'

moram/ and nbs/ differ from a clean export (- is what was there, + is what the export gives).
Modules are never edited by hand: change the notebook, then run

    nbdev_clean && nbdev_export

and commit both. This check has just done so: `git status` shows what to commit.
MESSAGE
  exit 1
}

# Notebook lines can hold whole pictures: cut them, and keep the start of a long report.
ignored=(-x __pycache__ -x .ipynb_checkpoints -x .last_checked)
for folder in nbs moram; do
  if ! changes=$(diff -ruN "${ignored[@]}" "$before/$folder" "$folder"); then
    cut -c 1-160 <<<"$changes" | sed -n 1,100p >&2
    explain
  fi
done

# In CI the checkout was clean, so that anything else that changed is drift too.
if [ -n "${CI:-}" ] && [ -n "$(git status --porcelain)" ]; then
  git status --porcelain >&2
  explain
fi
echo "moram/ is what nbs/ exports"
