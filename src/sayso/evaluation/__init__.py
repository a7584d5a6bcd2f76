"""How well recognition works on a labelled folder: error rates with intervals, and a report.

``folder`` reads the folder, ``evaluate`` measures everything, ``report`` writes it for people.
Terms and methods after ISO/IEC 19795-1 (performance testing) and 19795-10 (groups).
"""
