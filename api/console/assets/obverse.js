/* A small client for pages of your own: which picture does a photo, or a camera, show?
 *
 *   import { Obverse, Watcher } from "https://YOUR.SERVER/console/assets/obverse.js";
 *   const client = new Obverse({ base: "https://YOUR.SERVER", username, secretkey, channel: "books" });
 *   const found = await client.find(file);            // a File or a Blob: JPEG or PNG
 *   found.identifier                                  // "" where nothing matched
 *
 *   const watcher = new Watcher(client, video, { onAnswer: found => …, onMiss: () => … });
 *   await watcher.start();                            // asks for the camera, of a phone the one at its back
 *   watcher.stop();
 *
 * Dialects: "kivicube" (username, secretkey, channel) and "easyar" (appId, token). Use a read-only pair, or a READ
 * token: whoever sees your page sees its keys. The server allows other origins by its setting cors_origins.
 * No dependency; nothing is sent anywhere but to `base`. docs/console.md tells more. */

const SIDE = 640;            // longer side of a frame, in pixels: what the engine works with
const QUALITY = 0.8;         // of its JPEG
const GREY_SIDE = 160;       // of the frame that is looked at for blur
const MOST_BLURRED = 5;      // blurred frames in a row that are passed over: then one is sent all the same

/** An answer: `identifier` ("" for none), `channel`, `matchRatio` (0-100), `quad` (four corners in pixels of the photo,
 *  clockwise from the top left of the picture) or null, `answer` (what the server said). */
export class Obverse {
  constructor({ base = "", dialect = "kivicube", username = "", secretkey = "", channel = "", appId = "", token = "" }) {
    this.base = base.replace(/\/$/, "");
    Object.assign(this, { dialect, username, secretkey, channel, appId, token });
  }

  /** Throws Error with the server's message, and `retryAfter` in seconds where the server is busy. */
  async find(photo, { signal } = {}) {
    return this.dialect === "easyar" ? this.#easyar(photo, signal) : this.#kivicube(photo, signal);
  }

  async #kivicube(photo, signal) {
    const form = new FormData();
    for (const name of ["username", "secretkey", "channel"]) if (this[name]) form.append(name, this[name]);
    form.append("explain", "1");
    form.append("image", photo, "photo.jpg");
    const response = await fetch(`${this.base}/FindImage`, { method: "POST", body: form, signal });
    const answer = await response.json();
    if (answer.returncode !== 0) throw failure(response, answer.message);
    return { identifier: answer.identifier ?? "", channel: answer.channel ?? this.channel,
             matchRatio: answer.matchratio ?? 0, quad: answer.quad ?? null, answer };
  }

  async #easyar(photo, signal) {
    const response = await fetch(`${this.base}/search`, {
      method: "POST", signal,
      headers: { "Content-Type": "application/json;Charset=UTF-8", "Authorization": this.token },
      body: JSON.stringify({ appId: this.appId, image: await base64(photo), notracking: "true" }),
    });
    const answer = await response.json();
    if (answer.statusCode === 17) return { identifier: "", channel: "", matchRatio: 0, quad: null, answer };
    if (answer.statusCode !== 0) throw failure(response, answer.result?.message ?? answer.msg);
    const target = answer.result.target;
    return { identifier: target.name, channel: "", matchRatio: 0, quad: null, answer };
  }
}

function failure(response, message) {
  const error = new Error(message ?? `HTTP ${response.status}`);
  error.retryAfter = Number(response.headers.get("Retry-After")) || 0;
  return error;
}

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** Looks through a camera: one frame in flight, blurred ones passed over, and after misses more and more slowly.
 *
 *  client: an Obverse, or anything with `find(blob)`. video: a <video> of the page. onAnswer(found, frame) and
 *  onMiss(found, frame): frame has the `width` and `height` to which `found.quad` belongs. onError(error) is told what
 *  went wrong; the watcher goes on. fastest, slowest: milliseconds between frames; after each miss the pause grows by
 *  half, an answer sets it back. sharpness: the least variance of the Laplacian (grey levels squared) of a frame that
 *  is sent. */
export class Watcher {
  constructor(client, video, { onAnswer = () => {}, onMiss = () => {}, onError = () => {},
                               fastest = 40, slowest = 1500, sharpness = 20 } = {}) {
    Object.assign(this, { client, video, onAnswer, onMiss, onError, fastest, slowest, sharpness });
    this.running = false;
    this.canvas = document.createElement("canvas");
    this.small = document.createElement("canvas");
  }

  /** Throws what getUserMedia does where there is no camera or it is denied. */
  async start() {
    if (!navigator.mediaDevices) throw new Error("no camera: browsers allow it on https addresses only");
    const wanted = { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } };
    this.stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    this.video.srcObject = this.stream;
    await this.video.play();
    this.running = true;
    this.#look();
  }

  stop() {
    this.running = false;
    this.stream?.getTracks().forEach(track => track.stop());
    this.video.srcObject = null;
  }

  async #look() {
    let pause = this.fastest, blurred = 0;
    while (this.running) {
      const frame = this.#frame();
      if (frame && (blurred >= MOST_BLURRED || this.#sharpnessOf(frame) >= this.sharpness)) {
        blurred = 0;
        pause = await this.#ask(frame, pause);
      } else {
        blurred += 1;
      }
      await new Promise(resolve => setTimeout(resolve, document.hidden ? 500 : pause));
    }
  }

  async #ask(frame, pause) {
    try {
      const blob = await new Promise(resolve => frame.toBlob(resolve, "image/jpeg", QUALITY));
      const found = await this.client.find(blob);
      if (!this.running) return pause;
      const size = { width: frame.width, height: frame.height };
      if (found.identifier) {
        this.onAnswer(found, size);
        return this.fastest;
      }
      this.onMiss(found, size);
      return Math.min(this.slowest, Math.max(pause, 100) * 1.5);
    } catch (error) {
      this.onError(error);
      return Math.max(this.slowest, (error.retryAfter || 0) * 1000);
    }
  }

  #frame() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width || !height) return null;
    const scale = Math.min(1, SIDE / Math.max(width, height));
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    return this.canvas;
  }

  #sharpnessOf(frame) {
    const scale = GREY_SIDE / Math.max(frame.width, frame.height);
    const width = this.small.width = Math.max(3, Math.round(frame.width * scale));
    const height = this.small.height = Math.max(3, Math.round(frame.height * scale));
    const context = this.small.getContext("2d", { willReadFrequently: true });
    context.drawImage(frame, 0, 0, width, height);
    const pixels = context.getImageData(0, 0, width, height).data;
    const grey = new Float32Array(width * height);
    for (let i = 0; i < grey.length; i++) grey[i] = (pixels[4 * i] + 2 * pixels[4 * i + 1] + pixels[4 * i + 2]) / 4;
    let sum = 0, squares = 0, count = 0;
    for (let y = 1; y < height - 1; y++) for (let x = 1; x < width - 1; x++) {
      const i = y * width + x;
      const value = grey[i - 1] + grey[i + 1] + grey[i - width] + grey[i + width] - 4 * grey[i];
      sum += value; squares += value * value; count += 1;
    }
    return squares / count - (sum / count) ** 2;
  }
}
