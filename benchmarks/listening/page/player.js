/* The player of a listening test: all signals of a trial run together (voices.js), so that one switches at the same
   position without a restart. What is looped is a region, at first the whole clip. */

/* BS.1534-3, section 5.3. */
const SHORTEST_REGION_S = 0.5;
const TICK_MS = 25;

class Player {
  constructor() {
    this.context = null;
    this.signals = new Map();
    this.voices = null;
    this.heard = {};
    this.active = null;
    this.playing = false;
    this.onTick = () => {};
    this.volume = 1;
    setInterval(() => this.tick(), TICK_MS);
  }

  /* `signals`: name -> Float32Array, all of one length. `heard`: seconds so far by name, counted on here. */
  load(signals, rate, heard) {
    this.stop();
    this.signals = signals;
    this.rate = rate;
    this.heard = heard;
    this.length = signals.values().next().value.length / rate;
    this.region = [0, this.length];
    this.offset = 0;
    this.active = null;
    this.buffers = null;
  }

  /* A context may sound only once the listener has clicked or typed; at the rate of the signals nothing is resampled
     by the page. */
  async wake() {
    if (!this.context || this.context.sampleRate !== this.rate) {
      if (this.context) await this.context.close();
      this.context = new AudioContext({ sampleRate: this.rate, latencyHint: "interactive" });
      this.buffers = null;
    }
    if (this.context.state !== "running") await this.context.resume();
    if (this.buffers) return;
    this.envelope = new GainNode(this.context, { gain: 1 });
    this.master = new GainNode(this.context, { gain: this.volume });
    this.envelope.connect(this.master).connect(this.context.destination);
    this.buffers = new Map();
    for (const [name, samples] of this.signals) {
      const buffer = this.context.createBuffer(1, samples.length, this.rate);
      buffer.copyToChannel(samples, 0);
      this.buffers.set(name, buffer);
    }
  }

  setVolume(volume) {
    this.volume = volume;
    if (this.master) this.master.gain.setTargetAtTime(volume, this.context.currentTime, 0.02);
  }

  async select(name) {
    const signals = this.signals;
    this.active = name;
    if (!this.playing) await this.play();
    if (signals === this.signals) this.voices?.hear(this.active);
  }

  async play() {
    if (this.playing || this.active === null) return;
    this.playing = true;
    const signals = this.signals;
    await this.wake();
    if (!this.playing || signals !== this.signals || this.voices) return;
    const now = this.context.currentTime + 0.005;
    const [start, end] = this.region;
    if (this.offset < start || this.offset >= end) this.offset = start;
    const region = { loop: true, loopStart: start, loopEnd: end };
    this.voices = makeVoices(this.buffers, this.active, this.envelope, { when: now, offset: this.offset, ...region });
    this.startedAt = now;
    this.lastTick = now;
    this.wrapAt = 0;
    this.envelope.gain.cancelScheduledValues(0);
    fade(this.envelope.gain, 0, 1, now);
  }

  pause() {
    this.offset = this.position();
    this.stop();
  }

  stop() {
    this.playing = false;
    this.voices?.stop();
    this.voices = null;
  }

  async seek(seconds) {
    const was = this.playing;
    this.stop();
    this.offset = Math.min(Math.max(seconds, this.region[0]), this.region[1] - 0.01);
    if (was) await this.play();
  }

  async setRegion(from, to) {
    const at = this.position();
    let start = Math.max(0, Math.min(from, to));
    let end = Math.min(this.length, Math.max(from, to));
    if (end - start < SHORTEST_REGION_S) {
      end = Math.min(this.length, start + SHORTEST_REGION_S);
      start = Math.max(0, end - SHORTEST_REGION_S);
    }
    this.region = [start, end];
    await this.seek(at >= start && at < end ? at : start);
  }

  get whole() {
    return this.region[0] === 0 && this.region[1] === this.length;
  }

  position() {
    if (!this.playing || !this.voices) return this.offset;
    const [start, end] = this.region;
    const run = Math.max(0, this.context.currentTime - this.startedAt) + this.offset - start;
    return start + (run % (end - start));
  }

  tick() {
    if (this.playing && this.voices) {
      const now = this.context.currentTime;
      if (this.active !== null && now > this.lastTick)
        this.heard[this.active] = (this.heard[this.active] || 0) + now - this.lastTick;
      this.lastTick = Math.max(now, this.lastTick);
      this.smoothWrap(now);
    }
    this.onTick();
  }

  /* Where the loop jumps back it would click: 5 ms out and 5 ms in, as BS.1534-3 (section 5.3) has it. */
  smoothWrap(now) {
    const at = now + this.region[1] - this.position();
    if (at - now > 4 * TICK_MS / 1000 || at - now < FADE_S || at - this.wrapAt < SHORTEST_REGION_S / 2) return;
    this.wrapAt = at;
    fade(this.envelope.gain, 0, 1, fade(this.envelope.gain, 1, 0, at - FADE_S));
  }
}
