import deep.er.thing
