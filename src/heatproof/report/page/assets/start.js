// What was computed, and what all parts of the script share. Names of files, methods and classes reach the page as text
// nodes only: nothing here ever parses them as HTML.
const data = JSON.parse(document.getElementById("data").textContent);
const media = {
  dark: matchMedia("(prefers-color-scheme: dark)"),
  still: matchMedia("(prefers-reduced-motion: reduce)"),
  wide: matchMedia("(min-width: 62rem)"),
};
document.documentElement.classList.add("js");

/** An element with properties and attributes; children that are strings become text. */
function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Says something to those who listen. */
function say(text) {
  document.getElementById("said").textContent = text;
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {  // some browsers keep the clipboard from pages that lie on a disk
    const area = make("textarea", { value: text, className: "unseen" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(`Copied ${what}.`);
}

function copyButton(label, what, text) {
  const button = make("button", { type: "button", className: "plain", textContent: label });
  button.addEventListener("click", async () => {
    await copy(text(), what);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1500);
  });
  return button;
}
