/* The envelope of the reference (of A in ABX), where the sound is, and the region that is looped. The same is drawn
   whatever is played: the shapes of the signals would tell them apart. */

class Timeline {
  constructor(player, samples, report) {
    this.player = player;
    this.samples = samples;
    this.report = report;
    this.canvas = html("canvas", { class: "wave", "aria-hidden": "true" });
    this.play = html("button", { type: "button", class: "play", click: () => this.toggle() }, "Play");
    this.clock = html("span", { class: "clock" });
    this.whole = html("button", { type: "button", click: () => this.reset() }, "Whole clip");
    this.node = html(
      "section",
      { class: "timeline", "aria-label": "Playback" },
      this.canvas,
      html(
        "div",
        { class: "transport" },
        this.play,
        html("button", { type: "button", title: "key [", click: () => this.mark(0) }, "Loop from here"),
        html("button", { type: "button", title: "key ]", click: () => this.mark(1) }, "Loop to here"),
        this.whole,
        this.clock
      )
    );
    this.canvas.addEventListener("pointerdown", (event) => this.press(event));
    this.canvas.addEventListener("pointermove", (event) => this.drag(event));
    this.canvas.addEventListener("pointerup", (event) => this.release(event));
  }

  toggle() {
    if (this.player.playing) this.player.pause();
    else if (this.player.active === null) this.report("Choose a signal to play first.");
    else this.player.play();
  }

  mark(side) {
    const region = this.player.region.slice();
    region[side] = this.player.position();
    /* A mark on the wrong side of the other moves the other to its end. */
    if (region[0] >= region[1]) region[1 - side] = side ? 0 : this.player.length;
    this.player.setRegion(region[0], region[1]).then(() => this.say());
  }

  reset() {
    this.player.setRegion(0, this.player.length).then(() => this.say());
  }

  say() {
    const [start, end] = this.player.region.map((seconds) => seconds.toFixed(1));
    this.report(this.player.whole ? "The whole clip is looped." : `Looped from ${start} to ${end} seconds.`);
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return (Math.min(Math.max(event.clientX - box.left, 0), box.width) / box.width) * this.player.length;
  }

  press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pressed = this.dragged = this.at(event);
  }

  drag(event) {
    if (this.pressed !== undefined) this.dragged = this.at(event);
  }

  release(event) {
    if (this.pressed === undefined) return;
    const [from, to] = [this.pressed, this.at(event)];
    this.pressed = this.dragged = undefined;
    if (Math.abs(to - from) > this.player.length / 100) this.player.setRegion(from, to).then(() => this.say());
    else this.player.seek(to);
  }

  draw() {
    const { canvas, player } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (!width) return;
    if (canvas.width !== width || canvas.height !== height) {
      [canvas.width, canvas.height] = [width, height];
      this.peaks = this.envelope(width);
    }
    const dragging = this.pressed !== undefined && Math.abs(this.dragged - this.pressed) > player.length / 100;
    const region = dragging ? [this.pressed, this.dragged].sort((a, b) => a - b) : player.region;
    const [left, right] = region.map((seconds) => (seconds / player.length) * width);
    const paint = canvas.getContext("2d");
    paint.clearRect(0, 0, width, height);
    paint.fillStyle = "#e4ecf5";
    paint.fillRect(left, 0, right - left, height);
    for (let x = 0; x < width; x++) {
      paint.fillStyle = x >= left && x < right ? "#5a7fa8" : "#c3c9d0";
      const tall = Math.max(ratio, this.peaks[x] * 0.92 * height);
      paint.fillRect(x, (height - tall) / 2, 1, tall);
    }
    paint.fillStyle = "#b3261e";
    paint.fillRect((player.position() / player.length) * width - ratio, 0, 2 * ratio, height);
    this.play.textContent = player.playing ? "Pause" : "Play";
    this.whole.disabled = player.whole;
    this.clock.textContent = `${player.position().toFixed(1)} / ${player.length.toFixed(1)} s`;
  }

  envelope(width) {
    const peaks = new Float32Array(width);
    let most = 1e-6;
    for (let at = 0; at < this.samples.length; at++) {
      const x = Math.floor((at / this.samples.length) * width);
      const size = Math.abs(this.samples[at]);
      if (size > peaks[x]) peaks[x] = size;
      if (size > most) most = size;
    }
    return peaks.map((peak) => peak / most);
  }
}
