"use strict";
(() => {
  const nav = document.querySelector("nav");
  const steps = [...document.querySelectorAll(".step")];
  const [back, next, all, choice, said] = ["back", "next", "all", "choice", "said"].map((id) => document.getElementById(id));
  let at = Math.max(0, steps.findIndex((step) => `#${step.id}` === location.hash));
  let stepping = true;

  function show(wanted, moved) {
    at = Math.min(Math.max(wanted, 0), steps.length - 1);
    document.body.classList.toggle("stepping", stepping);
    all.setAttribute("aria-pressed", String(!stepping));
    steps.forEach((step, i) => step.classList.toggle("now", i === at));
    const layer = steps[at].dataset.layer;
    document.querySelectorAll("svg [data-layer]").forEach((part) => {
      const isNow = layer === undefined ? "last" in part.dataset : part.dataset.layer === layer;
      part.classList.toggle("now", isNow);
    });
    choice.value = String(at + 1);
    back.disabled = at === 0;
    next.disabled = at === steps.length - 1;
    said.textContent = `Step ${at + 1} of ${steps.length}`;
    const isHidden = steps[at].getBoundingClientRect().top < nav.offsetHeight;
    if (moved && (isHidden || !stepping)) steps[at].scrollIntoView({ block: "start" });
  }

  back.addEventListener("click", () => show(at - 1, true));
  next.addEventListener("click", () => show(at + 1, true));
  choice.addEventListener("change", () => show(Number(choice.value) - 1, true));
  all.addEventListener("click", () => { stepping = !stepping; show(at, false); });
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target === choice) return;
    if (event.target.closest && event.target.closest("figure .scroll, .work")) return;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: steps.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(to, true);
  });
  nav.hidden = false;
  show(at, false);
})();
