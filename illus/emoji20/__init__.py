"""emoji20: an open data set of illustrations with planted, known contamination.

In: the npm packages pinned in ``package.json``. Out: ``training/``, ``test/``,
``test_unseen_style/`` and ``truth.csv`` (see :mod:`illus.emoji20.build`).
"""
