/**
 * The bytes of a pickle, read in order: the numbers and texts that follow an operation.
 *
 * Reading beyond the end throws a RangeError. Integers are little-endian, the one kind of float is
 * big-endian.
 */
export class PickleBytes {
  /** Where the next byte is read. */
  position = 0;
  readonly #view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  byte(): number {
    return this.bytes[this.#take(1)];
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  float64(): number {
    return this.#view.getFloat64(this.#take(8), false);
  }

  skip(count: number): void {
    this.#take(count);
  }

  /** A text of `length` bytes of UTF-8. */
  text(length: number): string {
    const from = this.#take(length);
    return decode(this.bytes.subarray(from, from + length));
  }

  /** A text that ends with a newline; longer than any name of a class, it is refused. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0 || end - this.position > 200) throw new Error("a global's name does not end.");
    const text = decode(this.bytes.subarray(this.position, end));
    this.position = end + 1;
    return text;
  }

  /** An integer of `length` bytes, two's complement. */
  long(length: number): number {
    if (length > 8) throw new Error(`it has an integer of ${length} bytes.`);
    const from = this.#take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[from + i]);
    const number = Number(BigInt.asIntN(8 * length, value));
    if (!Number.isSafeInteger(number)) throw new Error("it has an integer beyond 2^53.");
    return number;
  }

  /** Advances by `count` bytes and returns where they begin. */
  #take(count: number): number {
    const from = this.position;
    if (from + count > this.bytes.length) throw new RangeError();
    this.position += count;
    return from;
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error("a text in it is not UTF-8.");
  }
}
