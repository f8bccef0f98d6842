// The player: all versions of a clip run together from one instant, and all but one are silent. To choose another is to
// turn two gains over in a few milliseconds, so that nothing starts again and no sample is lost or heard twice.

const FADE_S = 0.012;
const AHEAD_S = 0.06;

const bytesOf = (file) => {
  const block = byId(`file-${file}`);
  if (!block) throw new Error("this part of the page has not been read yet");
  return Uint8Array.from(atob(block.textContent), (letter) => letter.charCodeAt(0)).buffer;
};

const makePlayer = (onChange) => {
  let context = null;
  let buffers = new Map(); // name -> AudioBuffer
  let running = null; // {sources, gains: Map, startedAt}: what can be heard now
  let offset = 0; // where it stands, while nothing runs
  let current = null;
  let loop = false;
  let clip = null;
  let loading = null;

  const duration = () => [...buffers.values()][0]?.duration ?? clip?.seconds ?? 0;

  const position = () => {
    if (!running) return offset;
    const passed = Math.max(0, context.currentTime - running.startedAt);
    return loop && duration() > 0 ? passed % duration() : Math.min(passed, duration());
  };

  const stop = () => {
    if (!running) return;
    for (const source of running.sources) {
      source.onended = null;
      source.stop();
      source.disconnect();
    }
    for (const gain of running.gains.values()) gain.disconnect();
    running = null;
  };

  // Decodes every version of the clip; `loading` makes sure that it happens once, and not for a clip already left.
  const load = () => {
    if (loading) return loading;
    context ??= new AudioContext();
    const wanted = clip;
    loading = Promise.all(
      wanted.versions
        .filter((version) => version.file !== undefined)
        .map(async (version) => [version.name, await context.decodeAudioData(bytesOf(version.file))]),
    ).then((decoded) => {
      if (clip === wanted) buffers = new Map(decoded);
    });
    loading.catch(() => {
      if (clip === wanted) loading = null;
    });
    return loading;
  };

  const start = () => {
    const sources = [];
    const gains = new Map();
    const when = context.currentTime + AHEAD_S;
    for (const [name, buffer] of buffers) {
      const source = context.createBufferSource();
      const gain = context.createGain();
      source.buffer = buffer;
      source.loop = loop;
      gain.gain.value = name === current ? 1 : 0;
      source.connect(gain).connect(context.destination);
      source.start(when, offset);
      sources.push(source);
      gains.set(name, gain);
    }
    running = { sources, gains, startedAt: when - offset };
    sources[0].onended = () => {
      stop();
      offset = 0;
      onChange();
    };
  };

  const play = async () => {
    const wanted = clip;
    await load();
    await context.resume();
    if (clip !== wanted || running) return;
    if (offset >= duration() - 0.01) offset = 0;
    start();
    onChange();
  };

  const pause = () => {
    offset = position();
    stop();
    onChange();
  };

  const seek = (seconds) => {
    const again = Boolean(running);
    stop();
    offset = Math.max(0, Math.min(seconds, duration() - 0.001));
    if (again) start();
    onChange();
  };

  const choose = (name) => {
    if (running && name !== current) {
      const now = context.currentTime;
      for (const [other, gain] of running.gains) {
        const target = other === name ? 1 : 0;
        gain.gain.cancelScheduledValues(now);
        gain.gain.setValueAtTime(gain.gain.value, now);
        gain.gain.linearRampToValueAtTime(target, now + FADE_S);
      }
    }
    current = name;
    onChange();
  };

  return {
    play,
    pause,
    seek,
    choose,
    position,
    duration,
    toggle: () => (running ? pause() : play()),
    open: (next, name) => {
      stop();
      [clip, current, offset, buffers, loading] = [next, name, 0, new Map(), null];
      onChange();
    },
    setLoop: (wanted) => {
      const at = position();
      loop = wanted;
      if (!running) return;
      running.startedAt = context.currentTime - at;
      for (const source of running.sources) source.loop = loop;
    },
    isPlaying: () => Boolean(running),
    isLooping: () => loop,
    current: () => current,
    buffer: (name) => buffers.get(name) ?? null,
  };
};
