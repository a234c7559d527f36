"""Cost models: workloads on a hardware -> accesses, energy, cycles."""

from energysim.cost.base import COST_MODELS, OBJECTIVES, Access, CostModel, LayerCost, Setting

__all__ = ["COST_MODELS", "OBJECTIVES", "Access", "CostModel", "LayerCost", "Setting"]
