// A camera takes a picture of the person in front of it. It is on only between two presses of a
// button, and nothing is sent by it: the picture goes to whoever asked for it, as a JPEG file.
import { say } from "./ask.js";

const QUALITY = 0.92;
const PROBLEMS = {
  NotAllowedError: "people.add.camera_denied",
  SecurityError: "people.add.camera_denied",
  NotFoundError: "people.add.camera_missing",
  OverconstrainedError: "people.add.camera_missing",
};

/** Make the buttons within `place` work; `taken` is called with each picture, a File. */
export function camera(place, taken) {
  const [start, take, stop, told] = ["start", "take", "stop", "told"].map((name) =>
    place.querySelector(`[data-camera="${name}"]`));
  const video = place.querySelector("video");
  let stream = null;
  let number = 0;

  const show = (on) => {
    start.hidden = on;
    for (const each of [take, stop, video]) each.hidden = !on;
  };
  const off = (sentence, focus = start) => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = video.srcObject = null;
    show(false);
    told.textContent = say(sentence);
    focus?.focus();
  };

  start.addEventListener("click", async () => {
    start.disabled = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { width: { ideal: 1280 }, height: { ideal: 960 }, facingMode: { ideal: "environment" } },
      });
      video.srcObject = stream;
      // A camera that is unplugged ends by itself.
      stream.getVideoTracks()[0].addEventListener("ended", () => off("people.add.camera_off"));
      await video.play();
      show(true);
      told.textContent = say("people.add.camera_on");
      take.focus();
    } catch (error) {
      off(PROBLEMS[error.name] ?? "people.add.camera_busy", null);
    } finally {
      start.disabled = false;
    }
  });

  take.addEventListener("click", async () => {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    const jpeg = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
    number += 1;
    const name = say("people.add.camera_file", { number });
    off("people.add.camera_taken");
    taken(new File([jpeg], name, { type: "image/jpeg" }));
  });

  stop.addEventListener("click", () => off("people.add.camera_off"));
  addEventListener("pagehide", () => stream && off("people.add.camera_off", null));

  place.hidden = false;
  if (!navigator.mediaDevices?.getUserMedia) {
    start.hidden = true;
    told.textContent = say("people.add.camera_insecure");
  }
}
