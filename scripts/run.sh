#!/usr/bin/env bash
# Opens the window on the sample project; where there is no display, trains the sample in the terminal.
set -euo pipefail
cd "$(dirname "$0")/.."

has_display() {
    [ "$(uname -s)" = Darwin ] || [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}${QT_QPA_PLATFORM:-}" ]
}

if has_display; then
    exec .venv/bin/ulmfit-studio --sample
fi

echo "There is no display here, so the sample trains in this terminal (Ctrl-C stops it)."
.venv/bin/ulmfit sample
cat <<'END'

To open the window instead, run `make run` in a desktop session, or over `ssh -X`:
it needs DISPLAY or WAYLAND_DISPLAY to be set.
END
