import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { planPack } from '../../src/pack/plan.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { makeTree, type Tree } from './helpers/tree.ts'
import { makeWheels } from './helpers/wheel.ts'

const MANIFEST = {
  zapp: 1,
  name: 'notes',
  version: '1.0.0',
  entry: { type: 'wsgi', app: 'wsgi:application', env: { DJANGO_SETTINGS_MODULE: 'settings' } },
  routes: { '/': { entry: 'main' }, '/static/*': { static: 'var/static' } },
  config: { SECRET_KEY: { type: 'string', required: true, secret: true } },
}

/** As much of Django as manage.py and the settings need. */
const DJANGO = {
  'django/__init__.py': '',
  'django/conf.py': 'import importlib, os\nsettings = importlib.import_module(os.environ["DJANGO_SETTINGS_MODULE"])\n',
  'django/collect.py':
    'import os, shutil, sys\nfrom django.conf import settings\ndef main():\n    assert sys.argv[1:4] == ["collectstatic", "--noinput", "--clear"], sys.argv\n    shutil.rmtree(settings.STATIC_ROOT, ignore_errors=True)\n    os.makedirs(settings.STATIC_ROOT, exist_ok=True)\n    with open(os.path.join(settings.STATIC_ROOT, "site.css"), "w") as file:\n        file.write("/* " + settings.SECRET_KEY + " */")\n',
}

async function project(tree: Tree = DJANGO): Promise<string> {
  return makeTree({
    'zapp.json': MANIFEST,
    'manage.py': 'if __name__ == "__main__":\n    from django.collect import main\n    main()\n',
    'settings.py':
      'import os\nBASE = os.path.dirname(os.path.abspath(__file__))\nSTATIC_ROOT = os.path.join(BASE, "var", "static")\nSECRET_KEY = os.environ["SECRET_KEY"]\n',
    'wsgi.py': 'def application(environ, start_response): pass\n',
    'var/static/old.css': 'out of date',
    ...tree,
  })
}

test('collectstatic runs in a copy; what it gives takes the place of what lay there', async () => {
  const wheels = await tmpDir()
  await makeWheels(wheels, [{ name: 'django', version: '5.0', files: DJANGO }])
  const dir = await project({ 'requirements.txt': `--no-index\n--find-links ${wheels}\ndjango\n` })
  const before = readdirSync(dir, { recursive: true }).sort()
  const { files, folders } = await planPack(dir, { collectStatic: true })
  expect(files.map(({ path }) => path).filter((path) => path.startsWith('var/'))).toEqual(['var/static/site.css'])
  expect(folders).toEqual(expect.arrayContaining(['var/', 'var/static/']))
  expect(readdirSync(dir, { recursive: true }).sort()).toEqual(before)
})

test('without a manifest static files that are not collected are no doubt where they are going to be', async () => {
  const wheels = await tmpDir()
  await makeWheels(wheels, [{ name: 'django', version: '5.0', files: DJANGO }])
  const dir = await makeTree({
    'requirements.txt': `--no-index\n--find-links ${wheels}\ndjango\n`,
    'manage.py':
      'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\nif __name__ == "__main__":\n    from django.collect import main\n    main()\n',
    'shop/__init__.py': '',
    'shop/settings.py':
      'from pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\nSECRET_KEY = "x"\nSTATIC_URL = "static/"\nSTATIC_ROOT = BASE_DIR / "collected"\n',
    'shop/wsgi.py': 'from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n',
  })
  await expect(planPack(dir)).rejects.toMatchObject({ code: 'PACK_NO_MANIFEST' })
  const { files } = await planPack(dir, { collectStatic: true })
  expect(files.map(({ path }) => path)).toContain('collected/site.css')
})

test.each<[why: string, tree: Tree, options: object, reason: RegExp]>([
  ['it fails', { 'settings.py': 'raise RuntimeError("no luck")\n' }, {}, /RuntimeError: no luck/],
  [
    'STATIC_ROOT lies elsewhere',
    { 'settings.py': 'STATIC_ROOT = "/"\nSECRET_KEY = ""\ndef x(): pass\n', 'manage.py': '' },
    {},
    /must lie in the project, got \//,
  ],
  [
    'the packages are for another system',
    {},
    { target: { platforms: ['win_amd64'] } },
    /for another Python or platform/,
  ],
])('COLLECT_STATIC where %s', async (_, tree, options, reason) => {
  const planned = planPack(await project({ ...DJANGO, ...tree }), { collectStatic: true, ...options })
  await expect(planned).rejects.toMatchObject({ code: 'COLLECT_STATIC', message: expect.stringMatching(reason) })
})
