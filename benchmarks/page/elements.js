// Elements out of data: `{ class: "play", disabled: true, click: () => ... }` are attributes and what an event does. A
// text only ever becomes a text node or an attribute's value: never markup, an address, or a name of a handler.

const fill = (element, attributes, children) => {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
};

const html = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
