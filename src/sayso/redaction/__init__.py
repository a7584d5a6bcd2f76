"""Pictures in which some people cannot be recognised any more: picture in, picture out.

Who has to be covered is not known here; it is the core that asks for consent.
"""
