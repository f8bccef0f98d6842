// Signals that run together from one instant, of which one is heard: to hear another, nothing starts again, and no
// sample is lost or heard twice.
//
// From one to the other as ITU-R BS.1534-3 (section 5.3) has it: 5 ms out and then 5 ms in, in the shape of a raised
// cosine, and never both at once. A cross-fade is heard where the two differ in phase, and would tell them apart.

const FADE_S = 0.005;
const STEPS = 8;

// Half a period of a cosine from one gain to another, beginning at `when`; where it ends.
const fade = (param, from, to, when) => {
  param.setValueAtTime(from, when);
  for (let step = 1; step <= STEPS; step++) {
    const done = (1 - Math.cos((Math.PI * step) / STEPS)) / 2;
    param.linearRampToValueAtTime(from + (to - from) * done, when + (FADE_S * step) / STEPS);
  }
  return when + FADE_S;
};

const makeVoices = (buffers, heard, into, { when, offset, ...loop }) => {
  const { context } = into;
  const voices = new Map();
  let settled = 0; // when the last change is over: the next one waits for it
  for (const [name, buffer] of buffers) {
    const source = new AudioBufferSourceNode(context, { buffer, ...loop });
    const gain = context.createGain();
    gain.gain.value = name === heard ? 1 : 0;
    source.connect(gain).connect(into);
    source.start(when, offset);
    voices.set(name, { source, gain: gain.gain });
  }
  const [first] = voices.values();

  // What is chosen may be none of them: then nothing is heard.
  const silence = () => {
    settled = Math.max(context.currentTime, settled);
    if (voices.has(heard)) settled = fade(voices.get(heard).gain, 1, 0, settled);
  };

  return {
    hear: (name) => {
      if (name === heard) return;
      silence();
      if (voices.has(name)) settled = fade(voices.get(name).gain, 0, 1, settled);
      heard = name;
    },
    setLoop: (wanted) => {
      for (const { source } of voices.values()) source.loop = wanted;
    },
    stop: () => {
      first.source.onended = null;
      silence();
      for (const { source } of voices.values()) source.stop(settled);
    },
    // Calls back where they end by themselves.
    onEnd: (callback) => {
      first.source.onended = callback;
    },
    gains: () => Object.fromEntries([...voices].map(([name, { gain }]) => [name, gain.value])),
  };
};
