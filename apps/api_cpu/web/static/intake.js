// Documents on their way in: chosen, dropped (folders too), pasted, or taken with the phone's camera.

/** The kinds that the server reads, as a file dialogue takes them. */
export const ACCEPTED = ".pdf,.jpg,.jpeg,.png,.webp,.tif,.tiff,.bmp,.heic,.heif,.xml,.zip";
const READABLE = new RegExp(`(${ACCEPTED.replaceAll(".", "\\.").replaceAll(",", "|")})$`, "i");

/** Watch the whole window, so that a document that misses the box does not replace the page. */
export function watchDrops(onFiles, onHover) {
  let depth = 0;
  const hover = (change) => {
    depth = Math.max(0, depth + change);
    onHover(depth > 0);
  };
  addEventListener("dragenter", (event) => { event.preventDefault(); hover(1); });
  addEventListener("dragleave", () => hover(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", async (event) => {
    event.preventDefault();
    depth = 0;
    onHover(false);
    // Entries are gone once the event is over, so they are taken before anything is awaited.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const files = entries.length ? (await Promise.all(entries.map(filesIn))).flat() : [...event.dataTransfer.files];
    if (files.length) onFiles(files);
  });
}

/** Images and files in the clipboard. */
export function watchPaste(onFiles) {
  addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (files.length) {
      event.preventDefault();
      onFiles(files.map(named));
    }
  });
}

/** Of a whole folder only what can be a document, in the order of the names. */
export function readable(files) {
  return [...files].filter(({ name }) => READABLE.test(name) && !name.startsWith("."))
    .sort((one, other) => (one.webkitRelativePath || one.name).localeCompare(other.webkitRelativePath || other.name));
}

async function filesIn(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  // A folder is told in portions; an empty one is the end.
  for (;;) {
    const portion = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!portion.length) break;
    found.push(...portion);
  }
  return readable((await Promise.all(found.map(filesIn))).flat());
}

/** Every pasted image is called image.png; the time tells them apart. */
function named(file) {
  const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "-");
  return file.name === "image.png" ? new File([file], `pasted-${time}.png`, { type: file.type }) : file;
}
