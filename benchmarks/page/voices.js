// Signals that run together from one instant, of which one is heard. To hear another turns two gains over in a few
// milliseconds: nothing starts again, and no sample is lost or heard twice. Gains are turned linearly, for the signals
// are alike: half of the one and half of the other is as loud as either.

const FADE_S = 0.008;

const makeVoices = (buffers, heard, into, { when, offset, ...loop }) => {
  const { context } = into;
  const voices = new Map();
  for (const [name, buffer] of buffers) {
    const source = new AudioBufferSourceNode(context, { buffer, ...loop });
    const gain = context.createGain();
    gain.gain.value = name === heard ? 1 : 0;
    source.connect(gain).connect(into);
    source.start(when, offset);
    voices.set(name, { source, gain: gain.gain });
  }
  const [first] = voices.values();

  const turn = (gain, target) => {
    const now = context.currentTime;
    gain.cancelScheduledValues(now);
    gain.setValueAtTime(gain.value, now);
    gain.linearRampToValueAtTime(target, now + FADE_S);
  };

  return {
    hear: (name) => {
      for (const [other, { gain }] of voices) turn(gain, other === name ? 1 : 0);
    },
    setLoop: (wanted) => {
      for (const { source } of voices.values()) source.loop = wanted;
    },
    // Fades out what is heard, so that it does not click.
    stop: () => {
      first.source.onended = null;
      for (const { source, gain } of voices.values()) {
        turn(gain, 0);
        source.stop(context.currentTime + 2 * FADE_S);
      }
    },
    // Calls back where they end by themselves.
    onEnd: (callback) => {
      first.source.onended = callback;
    },
    gains: () => Object.fromEntries([...voices].map(([name, { gain }]) => [name, gain.value])),
  };
};
