#!/usr/bin/env bash
# Builds the program and packs it as it is published: archive.sh [TARGET [OUT]]
#
# TARGET is a Rust target such as x86_64-unknown-linux-gnu (default: this machine's), OUT the folder of the archive, from the root of the repository (default: dist). The archive
# saltflat-VERSION-TARGET.tar.gz (.zip for Windows) holds the program, its man pages, its shell completions, README, changelog and licences; beside
# it lies its SHA-256. Needs Rust, tar and sha256sum or shasum; for Windows 7z.
set -euo pipefail
cd "$(dirname "$0")/../.."

host=$(rustc -vV | sed -n 's/^host: //p')
target=${1:-$host}
out=${2:-dist}
build=(cargo build --release --locked --bin saltflat)
folder=${CARGO_TARGET_DIR:-target}/release
if [ "$target" != "$host" ]; then
    build+=(--target "$target")
    folder=${CARGO_TARGET_DIR:-target}/$target/release
fi
"${build[@]}"

exe=saltflat
case $target in *windows*) exe=saltflat.exe ;; esac
version=$(cargo metadata --no-deps --format-version 1 | sed -n 's/.*"name":"saltflat","version":"\([^"]*\)".*/\1/p')
name=saltflat-$version-$target
mkdir -p "$out"
stage=$(mktemp -d)
trap 'rm -r "$stage"' EXIT
mkdir -p "$stage/$name/completions" "$stage/$name/man"
cp "$folder/$exe" "$stage/$name/"
strip "$stage/$name/$exe" 2>/dev/null || true
cp README.md CHANGELOG.md CITATION.cff LICENSE-APACHE LICENSE-MIT "$stage/$name/"
# A program for another machine cannot be run here; its completions and man pages are those of any other.
if "$stage/$name/$exe" --version >/dev/null 2>&1; then
    for shell in bash zsh fish powershell elvish; do
        "$stage/$name/$exe" completions "$shell" >"$stage/$name/completions/saltflat.$shell"
    done
    "$stage/$name/$exe" man --out "$stage/$name/man"
else
    echo "archive.sh: $exe does not run here, so the archive has no completions and no man pages" >&2
fi

case $target in
    *windows*)
        archive=$name.zip
        rm -f "$out/$archive"
        (cd "$stage" && 7z a -bso0 "$archive" "$name")
        mv "$stage/$archive" "$out/"
        ;;
    *)
        archive=$name.tar.gz
        tar -C "$stage" -czf "$out/$archive" "$name"
        ;;
esac
cd "$out"
if command -v sha256sum >/dev/null; then sha256sum "$archive"; else shasum -a 256 "$archive"; fi >"$archive.sha256"
echo "$out/$archive"
