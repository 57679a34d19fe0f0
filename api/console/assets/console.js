/* What the console does beyond plain forms: live figures, picking many, uploads with progress, drop, paste, camera. */
import { Watcher } from "./obverse.js";

const token = document.body.dataset.csrf;
const base = document.body.dataset.base;

// Live figures

const stream = document.querySelector("[data-stream]");
if (stream) {
  const source = new EventSource(stream.dataset.stream);
  const live = document.querySelector("[data-live]");
  source.addEventListener("message", event => {
    live.hidden = false;
    for (const [name, text] of Object.entries(JSON.parse(event.data))) {
      const place = document.querySelector(`[data-figure="${name}"]`);
      if (place && place.textContent !== text) place.textContent = text;
    }
  });
  source.addEventListener("error", () => { live.hidden = true; });
  addEventListener("pagehide", () => source.close());
}

// Picking many: what the form shows follows what is picked; htmx puts new forms into the page.

function wirePicking(root) {
  for (const form of root.querySelectorAll("form[data-many]")) {
    const boxes = [...form.querySelectorAll('input[name^="pick."]')];
    const all = form.querySelector("[data-all]"), picked = form.querySelector("[data-picked]");
    if (!all || form.dataset.wired) continue;
    form.dataset.wired = "yes";
    all.hidden = false;
    const whole = all.querySelector("input"), hint = picked.textContent;
    const buttons = [...form.querySelectorAll("button[name=action]")];
    const show = () => {
      const count = boxes.filter(box => box.checked).length;
      picked.textContent = count ? `${picked.dataset.text} ${count}` : hint;
      buttons.forEach(button => { button.disabled = !count; });
      whole.checked = count === boxes.length;
      whole.indeterminate = count > 0 && count < boxes.length;
    };
    whole.addEventListener("change", () => { boxes.forEach(box => { box.checked = whole.checked; }); show(); });
    form.addEventListener("change", show);
    show();
  }
}
wirePicking(document);
document.addEventListener("htmx:afterSwap", () => wirePicking(document));

// What a threshold brings: the slider and the field follow each other

for (const place of document.querySelectorAll("[data-forecast]")) {
  const slider = place.querySelector("input[type=range]"), told = place.querySelector("[data-told]");
  const field = place.closest("form").elements.threshold;
  const rows = [...place.querySelectorAll("tr[data-threshold]")].map(row => ({
    threshold: Number(row.dataset.threshold),
    shares: [...row.cells].slice(1).map(cell => parseFloat(cell.textContent)),
  }));
  const show = () => {
    const value = Number(slider.value);
    const above = rows.find(row => row.threshold >= value) ?? rows.at(-1), below = rows.findLast(row => row.threshold <= value) ?? rows[0];
    const part = above === below ? 0 : (value - below.threshold) / (above.threshold - below.threshold);
    const shares = below.shares.map((share, i) => (share + part * (above.shares[i] - share)).toFixed(1));
    const values = { threshold: value, answered: shares[0], wrong: shares[1], missing: shares[2] };
    told.textContent = told.dataset.told.replace(/\[(\w+)\]/g, (_, name) => values[name]);
  };
  slider.hidden = told.hidden = false;
  slider.disabled = field.matches(":disabled");
  slider.addEventListener("input", () => { field.value = slider.value; show(); });
  field.addEventListener("input", () => { slider.value = field.value || slider.dataset.default; show(); });
  show();
}

// The part of a missed photo that is the picture: drawn with the pointer, or typed

for (const miss of document.querySelectorAll("[data-miss]")) {
  const photo = miss.querySelector("[data-crop]"), form = miss.querySelector("[data-crop-form]");
  if (!form) continue;
  const rect = photo.querySelector("rect");
  const [left, top, right, bottom] = ["left", "top", "right", "bottom"].map(name => form.elements[name]);
  const show = () => {
    rect.setAttribute("x", left.value);
    rect.setAttribute("y", top.value);
    rect.setAttribute("width", Math.max(0, right.value - left.value));
    rect.setAttribute("height", Math.max(0, bottom.value - top.value));
  };
  form.addEventListener("input", show);
  const at = event => {
    const box = photo.getBoundingClientRect(), share = (value, size) => Math.round(Math.min(1, Math.max(0, value / size)) * 100);
    return [share(event.clientX - box.left, box.width), share(event.clientY - box.top, box.height)];
  };
  let start = null;
  photo.addEventListener("pointerdown", event => { start = at(event); photo.setPointerCapture(event.pointerId); event.preventDefault(); });
  photo.addEventListener("pointermove", event => {
    if (!start) return;
    const [x, y] = at(event);
    [left.value, right.value] = [Math.min(x, start[0]), Math.max(x, start[0])];
    [top.value, bottom.value] = [Math.min(y, start[1]), Math.max(y, start[1])];
    show();
  });
  for (const name of ["pointerup", "pointercancel"]) photo.addEventListener(name, () => { start = null; });
}

// Dropping files on a place, and pasting them on Try

for (const place of document.querySelectorAll("[data-drop]")) {
  const input = place.querySelector("input[type=file]");
  const over = on => event => { event.preventDefault(); place.classList.toggle("over", on); };
  for (const name of ["dragenter", "dragover"]) place.addEventListener(name, over(true));
  for (const name of ["dragleave", "drop"]) place.addEventListener(name, over(false));
  place.addEventListener("drop", event => take(input, event.dataTransfer.files));
}

function take(input, files) {
  if (!files.length) return;
  const chosen = new DataTransfer();
  for (const file of input.multiple ? files : [files[0]]) chosen.items.add(file);
  input.files = chosen.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

const trying = document.querySelector("form[data-try]");
if (trying) {
  const input = trying.querySelector("input[type=file]");
  input.addEventListener("change", () => { if (input.files.length) trying.requestSubmit(); });
  document.addEventListener("paste", event => {
    const files = [...event.clipboardData.files].filter(file => file.type.startsWith("image/"));
    if (files.length) take(input, files);
  });
  wireCamera(trying);
}

// The camera

function wireCamera(form) {
  const button = form.querySelector("[data-camera]"), stage = document.querySelector("[data-stage]");
  const video = stage.querySelector("video"), overlay = stage.querySelector("svg"), outline = overlay.querySelector("polygon");
  const label = overlay.querySelector("text");
  const verdict = stage.querySelector("[data-verdict]"), pace = stage.querySelector("[data-pace]");
  const times = [];
  let seen = "";
  button.hidden = false;

  const client = {
    async find(blob) {
      const data = new FormData();
      if (token) data.append("csrf", token);
      const channel = form.elements.channel?.value;
      if (channel) data.append("channel", channel);
      data.append("seen", seen);
      data.append("image", blob, "frame.jpg");
      const headers = { Accept: "application/json" };
      const response = await fetch(stage.dataset.frames, { method: "POST", body: data, headers });
      const answer = await response.json();
      if (!response.ok) {
        if (response.status === 422) return { identifier: "" };  // a frame without detail is a miss
        const error = new Error(answer.error ?? `HTTP ${response.status}`);
        error.retryAfter = Number(response.headers.get("Retry-After")) || 0;
        throw error;
      }
      return answer;
    },
  };

  function draw(found, frame) {
    overlay.setAttribute("viewBox", `0 0 ${frame.width} ${frame.height}`);
    outline.setAttribute("points", found.quad ? found.quad.map(corner => corner.join(",")).join(" ") : "");
    outline.setAttribute("class", `outline ${found.identifier ? "good" : "maybe"}`);
    label.textContent = found.quad ? `${found.candidate} ${found.match_ratio.toFixed(1)}` : "";
    if (found.quad) {
      const size = Math.max(frame.width, frame.height) / 26, top = Math.min(...found.quad.map(corner => corner[1]));
      const middle = found.quad.reduce((sum, corner) => sum + corner[0] / 4, 0);
      label.setAttribute("x", Math.min(Math.max(middle, 0.3 * frame.width), 0.7 * frame.width));
      label.setAttribute("y", Math.min(Math.max(top, 1.6 * size), frame.height) - size / 2);
      label.setAttribute("font-size", size);
      label.setAttribute("stroke-width", size / 4);
    }
    verdict.dataset.identifier = found.identifier;
    verdict.classList.toggle("good", Boolean(found.identifier));
    const name = document.createElement("b"), ratio = document.createElement("span");
    name.textContent = found.identifier || stage.dataset.nothing;
    ratio.className = "ratio";
    ratio.textContent = found.identifier ? found.match_ratio.toFixed(1) : "";
    verdict.replaceChildren(name, ...(found.identifier ? [ratio] : []));
    seen = found.identifier || seen;
    const now = performance.now();
    times.push(now);
    while (times.length && times[0] < now - 3000) times.shift();
    const rate = times.length > 1 ? (times.length - 1) * 1000 / (now - times[0]) : 0;
    pace.textContent = `${rate.toFixed(1)} / s · ${Math.round(found.milliseconds ?? 0)} ms`;
    pace.dataset.rate = rate.toFixed(2);
  }

  const watcher = new Watcher(client, video, {
    onAnswer: draw, onMiss: draw, onError: error => { verdict.textContent = error.message; },
  });
  button.addEventListener("click", async () => {
    if (watcher.running) {
      watcher.stop();
      stage.hidden = true;
      button.textContent = button.dataset.start;
      return;
    }
    stage.hidden = false;
    stage.scrollIntoView({ block: "nearest" });
    verdict.textContent = stage.dataset.looking;
    button.textContent = button.dataset.stop;
    try {
      await watcher.start();
    } catch {
      verdict.textContent = button.dataset.denied;
      button.textContent = button.dataset.start;
    }
  });
  addEventListener("pagehide", () => watcher.stop());
}

// Adding many: one request a file, so that each has its line at once and a lost connection costs one file

const adding = document.querySelector("form[data-add]");
if (adding) {
  const input = adding.querySelector("input[type=file]"), lines = document.querySelector("[data-lines]");
  const progress = adding.querySelector("[data-progress]"), words = adding.dataset;
  adding.addEventListener("submit", async event => {
    event.preventDefault();
    const files = [...input.files], button = adding.querySelector("button");
    const rows = files.map(file => lines.appendChild(row(file.name, "waiting", words.waiting)));
    button.disabled = true;
    progress.hidden = false;
    progress.max = files.length;
    progress.value = 0;
    for (const [place, file] of files.entries()) {
      rows[place].replaceWith(await send(file, files.length === 1));
      progress.value = place + 1;
    }
    button.disabled = false;
    progress.hidden = true;
    input.value = "";
  });

  async function send(file, alone) {
    const data = new FormData();
    for (const name of ["csrf", "channel", "metadata"]) data.append(name, adding.elements[name].value);
    if (alone) data.append("identifier", adding.elements.identifier.value);
    data.append("image", file, file.name);
    try {
      const response = await fetch(`${base}/console/add`, { method: "POST", body: data, headers: { Accept: "application/json" } });
      const answer = await response.json();
      if (!response.ok) return row(file.name, "refused", `${words.refused}: ${answer.error}`);
      const line = answer[0];
      if (line.state === "refused") return row(file.name, "refused", `${words.refused}: ${line.reason}`);
      return row(file.name, line.state, `${words[line.state]}: `, line);
    } catch {
      return row(file.name, "failed", words.failed);
    }
  }

  function row(file, state, text, line) {
    const made = document.createElement("li"), name = document.createElement("span"), said = document.createElement("span");
    made.className = state;
    name.className = "file";
    name.textContent = file;
    said.textContent = text;
    made.append(name, said);
    if (line) {
      const link = document.createElement("a"), level = document.createElement("span");
      link.href = `${base}/console/pictures/${line.uuid}`;
      link.textContent = line.identifier;
      level.className = `level level-${line.level}`;
      level.textContent = line.level;
      said.append(link, " ", level);
    }
    return made;
  }
}
