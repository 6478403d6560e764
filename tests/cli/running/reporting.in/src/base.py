class Inherited:
    def test_inherited(self):
        assert self.value == 1
