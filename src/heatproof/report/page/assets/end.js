// The page comes to life.
function followHeadings() {
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const id = entry.target.id || entry.target.getAttribute("aria-labelledby");
      if (entry.isIntersecting) seen.add(id);
      else seen.delete(id);
    }
    const current = [...links.keys()].find((id) => seen.has(id));
    links.forEach((link, id) => {
      if (id === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  }, { rootMargin: "-5% 0px -60% 0px" });
  document.querySelectorAll("main > header, main > section").forEach((part) => watch.observe(part));
}

const command = document.getElementById("command");
if (command) command.closest(".command").append(copyButton("Copy the command", "the command", () => command.textContent));
placeFilter();
dressTables();
followHeadings();
Promise.all([drawCharts(), drawWalks()]).then(() => {
  document.documentElement.dataset.ready = Math.round(performance.now());  // milliseconds since it was opened
});
