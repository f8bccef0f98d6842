/* What a listener has done so far, kept in the browser: a closed tab goes on where it was. Nothing leaves the page but
   the file that the listener saves. */

class Progress {
  constructor(test) {
    this.prefix = "listening/" + test.id + "/" + test.sha256.slice(0, 16) + "/";
  }

  /* Listeners that this browser knows for this test. */
  listeners() {
    const found = [];
    for (let index = 0; index < localStorage.length; index++) {
      const key = localStorage.key(index);
      if (key.startsWith(this.prefix)) {
        const state = this.load(key.slice(this.prefix.length));
        if (state) found.push(state);
      }
    }
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
