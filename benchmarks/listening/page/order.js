/* Orders that depend on the listener and on nothing else, so that a page that is opened again goes on as it was. */

/* A 32-bit number for a text: FNV-1a. */
function seedOf(text) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash || 1;
}

/* Numbers in [0, 1) from a seed: Marsaglia's xorshift of 32 bits. */
function numbersFrom(seed) {
  let state = seed >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 4294967296;
  };
  /* Seeds that are near each other give first numbers that are, too. */
  for (let round = 0; round < 16; round++) next();
  return next;
}

/* A copy in random order (Fisher and Yates). */
function shuffled(items, next) {
  const copy = items.slice();
  for (let last = copy.length - 1; last > 0; last--) {
    const other = Math.floor(next() * (last + 1));
    [copy[last], copy[other]] = [copy[other], copy[last]];
  }
  return copy;
}

/* What one listener is given: trials in order, and in each the order of its signals. */
function planFor(test, listener) {
  const seed = seedOf(test.id + "/" + listener.toLowerCase());
  const next = numbersFrom(seed);
  const trials = shuffled(test.trials, next).slice(0, test.per_listener);
  return { seed, trials: trials.map((trial) => laidOut(test.kind, trial, next)) };
}

function laidOut(kind, trial, next) {
  if (kind === "mushra") return { trial, order: shuffled(trial.stimuli, next) };
  const [a, b] = shuffled(trial.compared, next);
  return { trial, order: [a, b, trial.x[next() < 0.5 ? 0 : 1]] };
}
