"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const by = (id) => document.getElementById(id);
  const nav = document.querySelector("nav");
  const [slider, epoch, play, stage, reading, whole] = ["slider", "epoch", "play", "stage", "reading", "whole"].map(by);
  const frames = data.frames;
  const buttons = [...document.querySelectorAll(".units button")];
  const formulas = data.groups.map((group, i) => [...by(`formulas-${i}`).content.children]);
  let at = frames.length - 1;
  let chosen = null; // a unit, or null for the answer of all of them
  let place = [0, 0].map(() => (Math.floor(data.unitSide / 2) + 0.5) / data.unitSide); // from the upper left
  let timer = null;
  let colours = {};

  // Rows of bytes: their differences from each to the next, compressed, in base64.
  async function bytes(text, length) {
    const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const found = new Uint8Array(await new Response(stream).arrayBuffer());
    for (let i = 0; i < found.length; i += 1) if (i % length) found[i] += found[i - 1];
    return found;
  }

  async function unpack(frame) {
    const { answer } = frame;
    const whole = data.side * data.side;
    for (const name of data.classes ? ["best", "probability"] : ["steps"]) answer[name] = await bytes(answer[name], whole);
    for (const surface of frame.units) surface.steps = await bytes(surface.steps, data.unitSide * data.unitSide);
  }

  function short(value) {
    return value === null || value === undefined ? "–" : String(Number(value.toPrecision(3)));
  }

  // Colours: the style sheet's, mixed with its paper.
  function rgb(name) {
    const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim().slice(1);
    const long = hex.length === 3 ? [...hex].map((digit) => digit + digit).join("") : hex;
    return [0, 2, 4].map((i) => parseInt(long.slice(i, i + 2), 16));
  }

  function readColours() {
    colours = { paper: rgb("--paper"), over: rgb("--one"), under: rgb("--two") };
    colours.classes = [0, 1, 2, 3, 4, 5].map((k) => rgb(`--c${k}`));
  }

  function paint(canvas, colourOf) {
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    for (let i = 0; i < canvas.width * canvas.height; i += 1) {
      const [colour, share] = colourOf(i);
      colours.paper.forEach((paper, k) => { image.data[4 * i + k] = paper + share * (colour[k] - paper); });
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  // Values: of a unit in a frame, in 256 steps between its lowest and its highest.
  function valueOf(surface, unit, i, side) {
    const step = surface.steps[unit * side * side + i] / 255;
    return surface.low[unit] + step * (surface.high[unit] - surface.low[unit]);
  }

  function ofUnit(surface, unit, side, middle) {
    const reach = Math.max(Math.abs(surface.high[unit] - middle), Math.abs(surface.low[unit] - middle)) || 1;
    return (i) => {
      const value = valueOf(surface, unit, i, side) - middle;
      return [value > 0 ? colours.over : colours.under, 0.85 * Math.abs(value) / reach];
    };
  }

  function ofAnswer(frame) {
    if (!data.classes) return ofUnit(frame.answer, 0, data.side, (frame.answer.low[0] + frame.answer.high[0]) / 2);
    const guess = 1 / data.classes.length;
    return (i) => {
      const sure = Math.max(frame.answer.probability[i] / 255 - guess, 0) / (1 - guess);
      return [colours.classes[frame.answer.best[i] % 6], 0.12 + 0.53 * sure];
    };
  }

  // What is read is read at the middle of a unit's cell, so that all numbers are of one place.
  function cell(side) {
    const [column, row] = place.map((share) => Math.floor(share * side));
    return row * side + column;
  }

  function moveTo(shares) {
    const side = data.unitSide;
    place = shares.map((share) => (Math.min(Math.max(Math.floor(share * side), 0), side - 1) + 0.5) / side);
    drawPlane();
  }

  function coordinates() {
    const share = [place[0], 1 - place[1]];
    return share.map((s, i) => {
      const value = data.low[i] + s * (data.high[i] - data.low[i]);
      return Math.abs(value) < 1e-9 * (data.high[i] - data.low[i]) ? 0 : value; // the middle, but for rounding
    });
  }

  // A place has digits enough to tell it from the next one: of a year all four.
  function placed(value, i) {
    return String(Number(value.toPrecision(data.digits[i])));
  }

  function node(name, ...children) {
    const made = document.createElement(name);
    made.append(...children);
    return made;
  }

  // MathML: a formula, and below it the same with numbers for its letters, where all of them are known.
  function mathml(name, ...children) {
    const made = document.createElementNS("http://www.w3.org/1998/Math/MathML", name);
    made.append(...children);
    return made;
  }

  function inputOf(group, i) {
    if (group === 0) return coordinates()[i];
    const surface = frames[at].units[group - 1];
    return i < surface.low.length ? valueOf(surface, i, cell(data.unitSide), data.unitSide) : undefined;
  }

  function withNumbers(math, group, unit) {
    const copy = math.cloneNode(true);
    const row = copy.querySelector("mrow");
    row.firstChild.remove(); // the name; the sign = stays
    for (const letter of [...copy.querySelectorAll("msub")]) {
      const { parameter, input } = letter.dataset;
      const isParameter = parameter !== undefined;
      if (!isParameter && input === undefined) return null;
      const value = isParameter ? frames[at].numbers[group][unit][parameter] : inputOf(group, Number(input));
      if (value === undefined) return null;
      const said = !isParameter && group === 0 ? placed(value, Number(input)) : short(value);
      const number = mathml("mn", said.replace("-", "−"));
      letter.replaceWith(value < 0 ? mathml("mrow", mathml("mo", "("), number, mathml("mo", ")")) : number);
    }
    return copy;
  }

  function formulaOf(group, unit) {
    const lines = formulas[group][unit].cloneNode(true);
    [...lines.querySelectorAll(".work")].forEach((work, i) => {
      const math = work.querySelector("math");
      const put = math && i === 0 && withNumbers(math, group, unit); // later ones take what is not kept
      if (put) work.append(node("div", put));
    });
    const value = valueOf(frames[at].units[group], unit, cell(data.unitSide), data.unitSide);
    const row = mathml("mrow", mathml("mo", "≈"), mathml("mn", short(value).replace("-", "−")));
    const last = lines.querySelector(".work:last-child") || lines;
    last.append(node("div", mathml("math", row)));
    return lines;
  }

  // What x is in a formula, which no feature's name says.
  function lettersOf(group) {
    if (group === 0 && data.groups[group].kind === "inputs") return [];
    const before = group > 0 ? `units of ${data.groups[group - 1].title.toLowerCase()}` : `features, ${data.features.join(" and ")}`;
    return [node("p", `x are the ${before}; in a further layer's line, x is the y of the line above.`)];
  }

  function nameOf(group, unit) {
    return `${data.groups[group].title}, unit ${data.groups[group].names[unit]}`;
  }

  function isDead(group, unit) {
    return frames[at].dead[group].includes(unit);
  }

  function read(target) {
    const where = coordinates().map((value, i) => `${data.features[i]} = ${placed(value, i)}`).join(", ");
    const parts = [];
    if (target) {
      const [group, unit] = target;
      const surface = frames[at].units[group];
      parts.push(node("h3", nameOf(group, unit) + (isDead(group, unit) ? ": dead" : "")));
      const [low, high] = [short(surface.low[unit]), short(surface.high[unit])];
      parts.push(node("p", `At ${where}. Over the plane it ${low === high ? `is ${low}` : `goes from ${low} to ${high}`}.`));
      parts.push(formulaOf(group, unit), ...lettersOf(group));
    } else if (data.classes) {
      const i = cell(data.side);
      const best = frames[at].answer.best[i];
      parts.push(node("h3", `At ${where}: class ${data.classes[best]}`));
      const outputs = data.groups.length - 1;
      parts.push(node("p", `with probability ≈ ${(frames[at].answer.probability[i] / 255).toFixed(2)}`));
      const unit = data.groups[outputs].width === 1 ? 0 : best; // one yes-or-no output speaks for both classes
      if (unit < formulas[outputs].length) parts.push(formulaOf(outputs, unit), ...lettersOf(outputs));
    } else {
      parts.push(node("h3", `At ${where}`));
      const output = data.groups.length - 1;
      parts.push(formulaOf(output, 0), ...lettersOf(output));
    }
    reading.replaceChildren(...parts);
  }

  function drawPlane() {
    const frame = frames[at];
    const surface = by("surface");
    const side = chosen ? data.unitSide : data.side;
    if (surface.width !== side) surface.width = surface.height = side;
    paint(surface, chosen ? ofUnit(frame.units[chosen[0]], chosen[1], side, 0) : ofAnswer(frame));
    by("what").textContent = chosen ? nameOf(...chosen) : data.answer;
    whole.hidden = !chosen;
    by("cross").setAttribute("transform", `translate(${1000 * place[0]} ${1000 * place[1]})`);
    read(chosen);
  }

  function show(wanted) {
    at = Math.min(Math.max(wanted, 0), frames.length - 1);
    const frame = frames[at];
    slider.value = String(at);
    slider.setAttribute("aria-valuetext", `epoch ${frame.epoch}`);
    epoch.textContent = `epoch ${frame.epoch} of ${frames[frames.length - 1].epoch}`;
    by("back").disabled = at === 0;
    by("next").disabled = at === frames.length - 1;
    for (const button of buttons) {
      const [group, unit] = [Number(button.dataset.group), Number(button.dataset.unit)];
      paint(button.querySelector("canvas"), ofUnit(frame.units[group], unit, data.unitSide, 0));
      button.classList.toggle("is-dead", isDead(group, unit));
      button.setAttribute("aria-label", nameOf(group, unit) + (isDead(group, unit) ? ", dead" : ""));
    }
    document.querySelectorAll("[data-dead]").forEach((said) => {
      const count = frame.dead[said.dataset.dead].length;
      said.textContent = count ? `${count} ${count === 1 ? "is" : "are"} dead at this epoch.` : "";
    });
    document.querySelectorAll("[data-number]").forEach((said) => {
      const [what, i] = said.dataset.number.split("-");
      const hidden = frame.dead.filter((_, group) => data.groups[group].kind === "hidden");
      said.textContent = what === "dead" ? String(hidden.flat().length)
        : short(what === "loss" ? frame.losses[i] : frame.gradients[i]);
    });
    document.querySelectorAll("svg .now").forEach((line) => {
      const { low, high, start, end } = Object.fromEntries(Object.entries(line.dataset).map(([k, v]) => [k, Number(v)]));
      const x = start + (frame.epoch - low) / (high - low) * (end - start);
      line.setAttribute("transform", `translate(${Math.min(Math.max(x, start), end)} 0)`);
    });
    drawPlane();
  }

  function choose(target) {
    chosen = target;
    buttons.forEach((button) => {
      const isIt = target && Number(button.dataset.group) === target[0] && Number(button.dataset.unit) === target[1];
      button.setAttribute("aria-pressed", String(Boolean(isIt)));
    });
    drawPlane();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.setAttribute("aria-pressed", "false");
    play.textContent = "▶▶ Play";
  }

  function start() {
    if (at === frames.length - 1) show(0);
    timer = setInterval(() => (at < frames.length - 1 ? show(at + 1) : stop()), 300);
    play.setAttribute("aria-pressed", "true");
    play.textContent = "■ Stop";
  }

  by("back").addEventListener("click", () => { stop(); show(at - 1); });
  by("next").addEventListener("click", () => { stop(); show(at + 1); });
  play.addEventListener("click", () => (timer === null ? start() : stop()));
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  whole.addEventListener("click", () => { choose(null); stage.focus(); });
  function point(event) {
    const box = stage.getBoundingClientRect();
    moveTo([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
  }

  stage.addEventListener("pointermove", point);
  stage.addEventListener("pointerdown", point);
  // What is read aloud is what the cross is moved over by keys, not every frame that plays.
  stage.addEventListener("focus", () => reading.setAttribute("aria-live", "polite"));
  stage.addEventListener("blur", () => reading.removeAttribute("aria-live"));
  for (const button of buttons) {
    const target = [Number(button.dataset.group), Number(button.dataset.unit)];
    button.addEventListener("click", () => choose(button.getAttribute("aria-pressed") === "true" ? null : target));
    button.addEventListener("pointerenter", () => read(target));
    button.addEventListener("pointerleave", () => read(chosen));
    button.addEventListener("focus", () => read(target));
    button.addEventListener("blur", () => read(chosen));
  }
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") choose(null);
    const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.target === stage && way) {
      event.preventDefault();
      moveTo(place.map((share, i) => share + way[i] / data.unitSide));
      return;
    }
    if (event.target === slider) return; // which knows these keys itself
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: frames.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    stop();
    show(to);
  });
  const redraw = () => { readColours(); show(at); };
  Promise.all(frames.map(unpack)).then(() => {
    nav.hidden = false;
    redraw();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    matchMedia("print").addEventListener("change", redraw); // paper is light
    document.body.dataset.ready = "";
  });
})();
