/* What a listener has done so far, kept in the browser: a closed tab goes on where it was. Nothing leaves the page but
   the file that the listener saves. */

class Progress {
  constructor(test) {
    this.prefix = "listening/" + test.id + "/" + test.sha256.slice(0, 16) + "/";
  }

  /* Listeners that this browser knows for this test; none where it keeps nothing for this page. */
  listeners() {
    let keys = [];
    try {
      keys = Object.keys(localStorage).filter((key) => key.startsWith(this.prefix));
    } catch {
      return [];
    }
    const found = keys.map((key) => this.load(key.slice(this.prefix.length))).filter(Boolean);
    return found.sort((one, other) => one.listener.localeCompare(other.listener));
  }

  load(listener) {
    try {
      const state = JSON.parse(localStorage.getItem(this.prefix + listener.toLowerCase()));
      return state && Array.isArray(state.trials) ? state : null;
    } catch {
      return null;
    }
  }

  /* Whether it could be kept: private windows may refuse. */
  save(state) {
    try {
      localStorage.setItem(this.prefix + state.listener.toLowerCase(), JSON.stringify(state));
      return true;
    } catch {
      return false;
    }
  }
}

/* Offer a text as a file. */
function download(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
