/* The audio of a trial: 16-bit samples, inside of the page or in a file beside it that is loaded when it is needed. */

const arrived = new Map();

/* Called by the files beside the page. */
function audioArrived(name, text) {
  arrived.set(name, text);
}

function samplesOf(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const samples = new Float32Array(bytes.length / 2);
  for (let at = 0; at < samples.length; at++) samples[at] = view.getInt16(2 * at, true) / 32768;
  return samples;
}

function loadBeside(name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "audio/" + name + ".js";
    script.onload = () => resolve(arrived.get(name));
    script.onerror = () => reject(new Error("audio/" + name + ".js is missing: keep the folder of the page together."));
    document.head.append(script);
  });
}

async function signalsOf(names) {
  const found = new Map();
  for (const name of names) {
    const inside = document.getElementById("audio-" + name);
    found.set(name, samplesOf(inside ? inside.textContent : await loadBeside(name)));
    /* A trial is heard once: its text is not kept twice. */
    arrived.delete(name);
  }
  return found;
}
