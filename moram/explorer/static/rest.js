// Python is told of a control once it is at rest. While one moves, each message would make JupyterLab draw its own signs of a
// busy kernel, for 10 to 15 ms, and the maps would wait for that. What asks something of Python (a new position, any control
// that is not among these) is told at once, and after all that came before it.

const calm = new WeakSet(), waiting = new Map() // control -> how to tell Python of it

function tellNow() {
  const all = [...waiting.values()]
  waiting.clear()
  for (const tell of all) tell()
}

for (const kind of ["change", "click"])
  document.addEventListener(kind, ({ target }) => { if (!target.closest?.(".moram-calm")) tellNow() }, { capture: true })

export async function tellAtRest({ widget_manager: manager }, references, wait = 100) {
  const controls = await Promise.all(references.map(reference => manager.get_model(reference.replace("IPY_MODEL_", ""))))
  for (const control of controls) {
    if (calm.has(control)) continue
    calm.add(control)
    const save = control.save_changes.bind(control)
    let resting
    control.save_changes = callbacks => {
      waiting.set(control, () => save(callbacks))
      clearTimeout(resting)
      if ("position" in (control.changedAttributes() || {})) tellNow()
      else resting = setTimeout(tellNow, wait)
    }
  }
  return controls
}
