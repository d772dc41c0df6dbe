// Python is told of a control once it is at rest. While one moves, each message would make JupyterLab draw its own signs of a
// busy kernel, for 10 to 15 ms, and the maps would wait for that. A new position is told at once, since Python must answer it.

const calm = new WeakSet()

export async function tellAtRest({ widget_manager: manager }, references, wait = 100) {
  for (const reference of references) {
    const control = await manager.get_model(reference.replace("IPY_MODEL_", ""))
    if (calm.has(control)) continue
    calm.add(control)
    const tell = control.save_changes.bind(control)
    let resting
    control.save_changes = callbacks => {
      clearTimeout(resting)
      if ("position" in (control.changedAttributes() || {})) tell(callbacks)
      else resting = setTimeout(() => tell(callbacks), wait)
    }
  }
}
