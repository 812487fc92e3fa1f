"""The proposer: a model drafts one small change that answers observed failures, and nobody has to believe it.

What it is shown is quoted data (``failures``, ``tried``, ``prompt``), what it says is read strictly (``reply``) and
examined (``suspicions``, ``examination``). A draft that stands becomes an experiment; its evaluation and the offline
gate decide the rest (``settling``). ``requests`` asks for all that, ``service`` carries it out as a job of kind
``propose``, ``drafts`` keeps every answer of the model with its result.

Which failures an experiment says it answers stands in ``proposal_failures``: :func:`drafts.of_experiment` gives them.
"""
