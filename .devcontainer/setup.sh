#!/bin/sh
# What a fresh machine needs to run the notebooks: Deno, its Jupyter kernel, and all packages in the cache. Node with npm is expected.
set -eu
cd "$(dirname "$0")/.."
npm install --global --no-fund --no-audit deno@2.9.6
deno task kernel
deno cache --quiet --frozen lib/cli/*.ts
