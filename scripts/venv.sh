#!/bin/sh
# Makes the virtual environment .venv unless there is a working one. Needs Python 3.11 or newer; PYTHON=... chooses one.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "error: $1" >&2
    exit 1
}

# An environment that was moved or has lost its Python cannot be repaired, so it is made again.
if [ -x .venv/bin/python ] && .venv/bin/python -c "" 2>/dev/null; then
    case "$(head -n 1 .venv/bin/pip 2>/dev/null)" in
    "#!$(pwd)/.venv/bin/python"*) exit 0 ;;
    esac
    echo "The virtual environment .venv was made in another folder; making it again."
fi

# Clearing would follow a link and empty somebody else's environment.
[ ! -L .venv ] || fail ".venv is a link to $(readlink .venv) and is not cleared; remove the link: rm .venv"

recent() {
    "$1" -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null
}

python=""
for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1 && recent "$candidate"; then
        python="$candidate"
        break
    fi
done
[ -n "$python" ] || fail "Python 3.11 or newer is needed; say where it is with: make PYTHON=/path/to/python3.11"

# Debian and Ubuntu package what the module venv needs separately.
if ! "$python" -c "import ensurepip, venv" 2>/dev/null; then
    package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "Installing $package"
        export DEBIAN_FRONTEND=noninteractive
        output=$(apt-get update -qq 2>&1 && apt-get install -y -qq --no-install-recommends "$package" 2>&1) ||
            fail "apt-get install $package failed: $output"
    else
        fail "Python's venv module is missing; run: sudo apt-get install -y $package"
    fi
fi

echo "Making the virtual environment .venv with $("$python" --version)"
"$python" -m venv --clear .venv
