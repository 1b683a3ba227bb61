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
  const content = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = Math.ceil((4 + length) / 8) * 8;
  const array = ([kind, place, size]) => new KINDS[kind](buffer, start + place, size);
  return { content, array };
}

/** Return numbers that were rounded to steps of the largest one. */
function finely(steps, largest = 1) {
  return Float64Array.from(steps, (step) => (step / FINE) * largest);
}
