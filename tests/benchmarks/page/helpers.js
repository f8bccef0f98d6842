// What the tests ask of the page, as functions of `window.asked`: read from the document, as a reader would.

window.asked = {
  // Values of a column from the top, the reference left out.
  column(key) {
    const at = [...document.querySelectorAll(".quality thead th")].findIndex((th) => th.dataset.key === key);
    return [...document.querySelectorAll(".quality tbody tr:not(.reference)")].map((tr) => {
      const value = tr.children[at].dataset.value;
      return value === undefined ? null : Number(value);
    });
  },

  // [metric, codec] of each cell that is marked as tied.
  tied() {
    const heads = [...document.querySelectorAll(".quality thead th")].map((th) =>
      th.dataset.key.replace("metric:", ""),
    );
    const rows = [...document.querySelectorAll(".quality tbody tr")];
    return rows.flatMap((tr) =>
      [...tr.children].flatMap((td, at) => (td.classList.contains("tied") ? [[heads[at], tr.dataset.codec]] : [])),
    );
  },

  row(codec) {
    return [...document.querySelectorAll(".quality tr[data-codec]")].find((tr) => tr.dataset.codec === codec);
  },

  // Sets a select element as a user does.
  choose(selector, place, wanted) {
    const control = document.querySelectorAll(selector)[place];
    control.value = [...control.options].find((option) => option.textContent.startsWith(wanted)).value;
    control.dispatchEvent(new Event("change"));
  },

  codecs: (selector) => [...document.querySelectorAll(selector)].map((element) => element.dataset.codec),

  // Keeps the gains that the player makes from now on.
  watchGains() {
    const make = AudioContext.prototype.createGain;
    window.gains = [];
    AudioContext.prototype.createGain = function () {
      const gain = make.call(this);
      window.gains.push(gain);
      return gain;
    };
  },

  // Clicks another version: seconds that passed meanwhile, how far the position moved, whether it still plays.
  switchTo(version) {
    const { player } = window.codeczooPage;
    const [clock, before] = [performance.now(), player.position()];
    [...document.querySelectorAll("tr[data-version]")]
      .find((tr) => tr.dataset.version === version)
      .querySelector("input")
      .click();
    return [(performance.now() - clock) / 1000, player.position() - before, player.isPlaying()];
  },

  // Duration in seconds and root mean square of a decoded version.
  decoded(version) {
    const buffer = window.codeczooPage.player.buffer(version);
    const samples = buffer.getChannelData(0);
    let power = 0;
    for (const sample of samples) power += sample * sample;
    return [buffer.duration, Math.sqrt(power / samples.length)];
  },

  // The least contrast of any text with its ground, by WCAG 2, and where it is.
  contrast() {
    const channel = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const luminance = (css) => {
      const [red, green, blue] = css.match(/[\d.]+/g).map((value) => channel(Number(value) / 255));
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const ground = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if (!/, 0\)$/.test(colour)) return colour;
      }
      return "rgb(255, 255, 255)";
    };
    const texts =
      "h1, h2, h3, h4, p, td, th, li, button, span.mean, span.range, span.mark, label, kbd, dt, dd, a, output";
    const found = [];
    for (const element of document.querySelectorAll(texts)) {
      if (!element.textContent.trim() || !element.checkVisibility() || element.disabled || element.closest(".frame"))
        continue;
      const pair = [luminance(getComputedStyle(element).color), luminance(ground(element))].sort((a, b) => b - a);
      found.push([
        (pair[0] + 0.05) / (pair[1] + 0.05),
        `${element.tagName}.${element.className}: ${element.textContent}`,
      ]);
    }
    return found.sort((one, other) => one[0] - other[0])[0];
  },

  // Controls, pictures and regions that a screen reader would have no name for.
  nameless() {
    const elements = document.querySelectorAll(
      "button, select, input, img, [role=button], [role=region], [role=group]",
    );
    return [...elements]
      .filter((element) => {
        const labels = element.labels ? [...element.labels].map((label) => label.textContent.trim()).join("") : "";
        const own = element.tagName === "BUTTON" ? element.textContent.trim() : "";
        return (
          !own &&
          !labels &&
          !element.alt &&
          !element.getAttribute("aria-label") &&
          !element.getAttribute("aria-labelledby")
        );
      })
      .map((element) => element.outerHTML.slice(0, 80));
  },
};
