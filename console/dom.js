/**
 * Makes an element. Text is always text: nothing that an archive says becomes markup.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} [properties] of the element; names with a dash are attributes
 * @param {...(Node | string | false | undefined)} children
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue
    if (name.includes('-')) element.setAttribute(name, String(value))
    else Object.assign(element, { [name]: value })
  }
  element.append(
    .../** @type {(Node | string)[]} */ (children.filter((child) => child !== false && child !== undefined)),
  )
  return element
}

/**
 * An element of the page that is known to be there.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function at(id) {
  return /** @type {T} */ (document.getElementById(id))
}

/**
 * Sets the text only where it differs, so that a selection in it survives.
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text
}

/** Says something that has happened, to eyes and screen readers. @param {string} text */
export function say(text) {
  const toast = at('said')
  toast.textContent = text
  clearTimeout(Number(toast.dataset.timer))
  toast.dataset.timer = String(
    setTimeout(() => {
      toast.textContent = ''
    }, 6000),
  )
}

/**
 * Asks before something that cannot be taken back.
 * @param {{ title: string, text: string, go: string }} question
 * @returns {Promise<boolean>}
 */
export function confirmed({ title, text, go }) {
  const dialog = /** @type {HTMLDialogElement} */ (at('confirm'))
  at('confirm-title').textContent = title
  at('confirm-text').textContent = text
  at('confirm-go').textContent = go
  dialog.returnValue = ''
  dialog.showModal()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'go'), { once: true })
  })
}
