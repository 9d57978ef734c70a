"""Writes tests/checkpoints/data/parquet/: small files by pyarrow in every compression, page version and encoding that is read.

    python tests/reference/record.py parquet_files        (pip install pyarrow)

texts-<codec>.parquet    column "text": TEXTS in two row groups, one null
tokens-<kind>.parquet    column "tokens": lists of ids, of int32 or int64, plain, by dictionary, by delta, pages of version 2
null-id.parquet, booleans.parquet    what must be refused
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).parents[1] / "checkpoints/data/parquet"
TEXTS = ["one", None, "naïve café — 日本語 🙂", "", "the same again", "the same again"]
ROWS = [[1, 2, 3], [], [70000, 5], [5] * 20, [0]]


def write(name, table, **options):
    pq.write_table(table, FOLDER / f"{name}.parquet", row_group_size=3, store_schema=False, write_statistics=False, **options)


def record() -> None:
    FOLDER.mkdir(exist_ok=True)
    texts = pa.table({"text": pa.array(TEXTS, pa.string()), "id": pa.array(range(len(TEXTS)), pa.int64())})
    for codec in ("none", "snappy", "gzip", "brotli", "lz4", "zstd"):
        write(f"texts-{codec}", texts, compression=codec)
    write("texts-v2", texts, compression="zstd", data_page_version="2.0", use_dictionary=False)
    write("texts-delta-lengths", texts, use_dictionary=False, column_encoding={"text": "DELTA_LENGTH_BYTE_ARRAY", "id": "PLAIN"})
    write("texts-delta", texts, use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY", "id": "PLAIN"})
    for bits, kind in ((32, pa.int32()), (64, pa.int64())):
        tokens = pa.table({"tokens": pa.array(ROWS, pa.list_(kind))})
        write(f"tokens-{bits}", tokens, compression="snappy")
        write(f"tokens-{bits}-v2", tokens, compression="zstd", data_page_version="2.0", use_dictionary=False)
    delta = pa.table({"tokens": pa.array(ROWS, pa.list_(pa.int64()))})
    write("tokens-delta", delta, use_dictionary=False, column_encoding={"tokens.list.element": "DELTA_BINARY_PACKED"})
    write("null-id", pa.table({"tokens": pa.array([[1, 2], [3, None]], pa.list_(pa.int32()))}))
    write("booleans", pa.table({"tokens": pa.array([[True, False]], pa.list_(pa.bool_()))}))
    print(FOLDER, sum(f.stat().st_size for f in FOLDER.iterdir()), "bytes, pyarrow", pa.__version__)
