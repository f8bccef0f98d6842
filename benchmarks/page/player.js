// The player of the report's page: it decodes all versions of a clip, lets them run together (voices.js), and knows
// where they are.

const AHEAD_S = 0.06;

const bytesOf = (file) => {
  const block = byId(`file-${file}`);
  if (!block) throw new Error("this part of the page has not been read yet");
  return Uint8Array.from(atob(block.textContent), (letter) => letter.charCodeAt(0)).buffer;
};

const makePlayer = (onChange) => {
  let context = null;
  let buffers = new Map(); // name -> AudioBuffer
  let running = null; // the voices, while they run
  let startedAt = 0; // when their first sample was, or would have been
  let offset = 0; // where it stands, while nothing runs
  let current = null;
  let loop = false;
  let clip = null;
  let loading = null;

  const duration = () => [...buffers.values()][0]?.duration ?? clip?.seconds ?? 0;

  const position = () => {
    if (!running) return offset;
    const passed = Math.max(0, context.currentTime - startedAt);
    return loop && duration() > 0 ? passed % duration() : Math.min(passed, duration());
  };

  const stop = () => {
    running?.stop();
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
    const when = context.currentTime + AHEAD_S;
    running = makeVoices(buffers, current, context.destination, { when, offset, loop });
    startedAt = when - offset;
    running.onEnd(() => {
      running = null;
      offset = 0;
      onChange();
    });
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
    if (name !== current) running?.hear(name);
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
      startedAt = context.currentTime - at;
      running.setLoop(loop);
    },
    isPlaying: () => Boolean(running),
    isLooping: () => loop,
    current: () => current,
    buffer: (name) => buffers.get(name) ?? null,
  };
};
