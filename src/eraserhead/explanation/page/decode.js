// Blocks of data in the page, which are decoded when they are needed. `packing.py` writes them.

const KINDS = { u1: Uint8Array, u2: Uint16Array, i2: Int16Array, i4: Int32Array, f4: Float32Array, f8: Float64Array };
const FINE = 2 ** 15 - 1; // steps of rounded numbers, as in `packing.py`
const MOST_BLOCKS = 24; // that are kept decoded
const blocks = new Map();

/** Return a promise of a block's JSON, and of a function that returns one of its arrays. */
function block(name) {
  if (!blocks.has(name)) {
    if (blocks.size >= MOST_BLOCKS) blocks.delete(blocks.keys().next().value);
    blocks.set(name, decoded(name));
  }
  return blocks.get(name);
}

async function decoded(name) {
  const written = atob(document.getElementById(name).textContent);
  const bytes = Uint8Array.from(written, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const { content, counts } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  let place = 4 + length;
  for (const [kind, count] of Object.entries(counts)) {
    const size = count * KINDS[kind].BYTES_PER_ELEMENT;
    arrays[kind] = numbers(new Uint8Array(buffer, place, size), kind, count);
    place += size;
  }
  return { content, array: ([kind, start, size]) => arrays[kind].subarray(start, start + size) };
}

/** Return numbers whose bytes lie apart: the lowest ones of all, then the second ones, and so on. */
function numbers(planes, kind, count) {
  const width = KINDS[kind].BYTES_PER_ELEMENT;
  const bytes = new Uint8Array(planes.length);
  for (let height = 0; height < width; height++) {
    for (let i = 0; i < count; i++) bytes[i * width + height] = planes[height * count + i];
  }
  return new KINDS[kind](bytes.buffer);
}

/** Return numbers that were rounded to steps of the largest one. */
function finely(steps, largest = 1) {
  return Float64Array.from(steps, (step) => (step / FINE) * largest);
}

/** Return probabilities, of which each was written as what is to be added to the one before. */
function probabilities(steps) {
  let reached = 0;
  return Float64Array.from(steps, (step) => {
    reached = (reached + step) & 0xffff;
    return reached / FINE;
  });
}
